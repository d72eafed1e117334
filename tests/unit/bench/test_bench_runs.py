"""The GPU benchmark's code, on the CPU with tiny networks: every section runs to its end and finds numbers."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import UMT5Config, UMT5EncoderModel

if torch.cuda.is_available():
    pytest.skip("on a GPU the benchmark itself is to be run", allow_module_level=True)

from bench import beside, capped, cold, decode, denoise, in_memory, kernels, loading, networks, pipeline, plots, report
from bench.record import Row, Section, table
from bench.sections import SECTIONS
from models.estimate.work import LatentGrid
from models.interface import GenerationRequest
from models.speed import ceilings as ceilings_module
from models.speed.ceilings import Ceilings
from models.speed.tiers import Acceleration

CEILINGS = Ceilings(device="cpu", torch="", measured_at=0.0, matmul_tf_s=0.1, host_to_device_gb_s=5.0)
WAN = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 32, "num_layers": 2, "freq_dim": 16}
TEXT = UMT5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
HUNYUAN = {"num_attention_heads": 2, "attention_head_dim": 128, "num_layers": 1, "num_single_layers": 1}
DENOISERS: dict[str, tuple[str, dict[str, Any]]] = {
    "wan2.2-t2v-a14b": ("WanTransformer3DModel", WAN),
    "holocine-14b": ("WanTransformer3DModel", WAN),
    "wan2.2-ti2v-5b": ("WanTransformer3DModel", WAN | {"in_channels": 48, "out_channels": 48}),
    "hunyuan-video": ("HunyuanVideoTransformer3DModel", HUNYUAN),
    "cogvideox-5b": (
        "CogVideoXTransformer3DModel",
        {"num_attention_heads": 2, "num_layers": 1, "use_rotary_positional_embeddings": True},
    ),
    "mochi-1": ("MochiTransformer3DModel", {"num_attention_heads": 2, "num_layers": 2}),
    "ltx-video": (
        "LTXVideoTransformer3DModel",
        {"num_attention_heads": 2, "cross_attention_dim": 128, "num_layers": 1},
    ),
}
VAES: dict[str, tuple[str, dict[str, Any]]] = {
    "wan2.2-t2v-a14b": ("AutoencoderKLWan", {"base_dim": 4, "num_res_blocks": 1}),
}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = networks.work_of

    def small(model_id: str, *_: object, **__: object) -> Any:
        spec, work, _grid = real(model_id)
        return spec, work, LatentGrid(frames=3, height=4, width=4, shots=(3,))

    monkeypatch.setattr(networks, "DENOISERS", DENOISERS)
    monkeypatch.setattr(networks, "VAES", VAES)
    monkeypatch.setattr(networks, "work_of", small)
    yield
    torch.backends.cudnn.allow_tf32 = True


@pytest.fixture
def rows() -> list[Row]:
    return []


def assert_measured(rows: list[Row]) -> None:
    assert rows
    assert [row for row in rows if row.value is None or row.value <= 0] == []
    section = Section(name="x", machine="cpu", software="", date="", rows=rows)
    assert table(section).count("\n") == len(rows) + 1


@pytest.mark.parametrize("model_id", [*sorted(DENOISERS), "holocine-14b-sparse"])
def test_every_denoiser_is_compared_and_ours_is_stock_within_bfloat16(model_id: str, rows: list[Row]) -> None:
    chosen = {
        "stock": Acceleration(),
        "exact": Acceleration(trimmed=True),
        "fast, int8": Acceleration(trimmed=True, linears="int8"),
    }

    denoise.compare(model_id, CEILINGS, rows.append, chosen=chosen, repeats=1)

    assert_measured(rows)
    errors = {row.variant: row.error for row in rows}
    assert errors["exact"] is not None
    assert 0 < errors["exact"] < 0.03


def test_decoders_kernels_and_linears(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "TOKENS", (64, 96))
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)

    decode.compare("wan2.2-t2v-a14b", CEILINGS, rows.append, repeats=1)
    kernels.linears(CEILINGS, rows.append)

    assert_measured(rows)
    assert max(row.error or 0 for row in rows) < 0.1


def test_whole_generations_checkpoints_and_places(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    request = in_memory.request

    def small(steps: int, **given: Any) -> GenerationRequest:
        asked = request(steps, **given)
        return GenerationRequest(**vars(asked) | {"width": 32, "height": 32, "num_frames": 9})

    monkeypatch.setattr(in_memory, "request", small)
    monkeypatch.setattr(pipeline, "exact", lambda: Acceleration(trimmed=True))
    monkeypatch.setattr(denoise, "fast", lambda _: Acceleration(trimmed=True, linears="int8"), raising=True)
    monkeypatch.setattr(pipeline, "in_another_process", pipeline.resume)

    pipeline.whole(CEILINGS, rows.append)
    pipeline.checkpoints(CEILINGS, rows.append)

    assert_measured(rows)
    assert rows[-1].value == 1.0, "resumed bit for bit"


def test_loading_and_switching(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings_module, "_DISK_BYTES", 2**26)
    monkeypatch.setattr(
        loading, "disk_read_gb_s", lambda folder: ceilings_module.disk_read_gb_s(folder, num_bytes=2**26)
    )

    loading.from_disk(CEILINGS, rows.append)
    loading.switching(CEILINGS, rows.append)

    assert_measured(rows)


def test_a_cold_start_is_told_phase_by_phase(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings_module, "_DISK_BYTES", 2**26)
    monkeypatch.setattr(cold, "disk_read_gb_s", lambda folder: ceilings_module.disk_read_gb_s(folder, num_bytes=2**26))
    monkeypatch.setattr(capped, "text_encoder", lambda _: UMT5EncoderModel(TEXT))
    monkeypatch.setattr(pipeline, "exact", lambda: Acceleration(trimmed=True))
    monkeypatch.setattr(cold, "in_another_process", lambda folder: cold.phases(folder, time.time()))

    cold.start(CEILINGS, rows.append)

    assert_measured(rows)
    assert [row.variant for row in rows if row.of_ceiling] == ["text encoder", "high-noise expert", "low-noise expert"]
    assert rows[-1].value == pytest.approx(sum(row.value or 0 for row in rows[:-1]))


def test_the_capped_run_follows_the_plan(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capped, "text_encoder", lambda arch: torch.nn.Embedding(1000, 8))

    capped.every_model(CEILINGS, rows.append, models=("wan2.2-t2v-a14b",))
    capped.streamed_against_resident(CEILINGS, rows.append)

    assert [row.what.rsplit(" ", 1)[1] for row in rows[:3]] == ["text", "denoise", "decode"]
    assert rows[-1].note.endswith("bit-identical: True")


def test_a_lora_beside_the_layers_is_timed_against_one_in_them(
    rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denoise, "fast", lambda _: Acceleration(trimmed=True, linears="int8"))

    beside.lora(CEILINGS, rows.append)

    assert_measured(rows)
    assert [row.variant for row in rows] == ["fused", "beside"]


def test_every_section_can_be_found_and_has_a_limit() -> None:
    assert all(task.limit_s <= 600 and callable(task.run) for task in SECTIONS.values())


def test_a_section_is_kept_as_json(tmp_path: Path) -> None:
    section = Section(name="wan", machine="H100", software="torch", date="2026-11-26", rows=[])
    section.rows.append(Row(what="a", variant="b", value=1.0, unit="s"))

    assert Section.model_validate_json(section.save(tmp_path).read_text("utf-8")) == section


def test_the_report_shows_the_tables_and_draws_the_same_plots_twice(tmp_path: Path) -> None:
    section = Section(name="wan-480p", machine="H100", software="torch", date="2026-11-26", rows=[])
    section.rows.append(Row(what="a", variant="exact", value=1.0, unit="s", speedup=1.3, of_ceiling=0.9))
    section.rows.append(Row(what="a", variant="stock", value=1.3, unit="s", speedup=1.0))

    first, second = (plots.write([section], tmp_path / name) for name in ("first", "second"))
    text = report.document([section], [path.name for path in first])

    assert [path.name for path in first] == ["desempenho-vezes.svg", "desempenho-teto.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert "| a | exact | 1 | s | 0,9 | 1,3 |" in text
    assert "| Wan A14B 480p81, exato: fração do teto de matmul | ≥ 0,88 | 0,9 | alcançado |" in text
    assert "![desempenho-teto](img/desempenho-teto.svg)" in text
    assert not plots.write([Section(name="x", machine="", software="", date="")], tmp_path)


def test_given_a_section_under_way_when_the_benchmark_is_ended_then_the_section_is_too(tmp_path: Path) -> None:
    pid_file, section = tmp_path / "pid", tmp_path / "section"
    section.write_text(f"#!/bin/sh\necho $$ > {pid_file}.new && mv {pid_file}.new {pid_file}\nexec sleep 60\n")
    section.chmod(0o755)
    code = (
        f"import sys; from bench import __main__ as bench; sys.executable = {str(section)!r}; "
        f"sys.argv = ['bench', '--sections', 'ceilings', '--out', {str(tmp_path)!r}]; sys.exit(bench.main())"
    )
    benchmark = subprocess.Popen([sys.executable, "-c", code])
    deadline_s = time.monotonic() + 60
    while not pid_file.exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)

    benchmark.terminate()

    assert benchmark.wait(20) == 128 + signal.SIGTERM
    assert not psutil.pid_exists(int(pid_file.read_text()))
