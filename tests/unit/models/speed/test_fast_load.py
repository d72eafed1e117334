"""The quick loader reads what `from_pretrained` reads, to the bit and the dtype, and names a broken file."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import diffusers
import pytest
import torch

from models.interface import WeightsError
from models.speed import fast_load
from tests.unit.models.families.cases import CASES

CPU = torch.device("cpu")
NETWORKS = [
    ("wan-t2v-two-experts", "transformer", "WanTransformer3DModel"),
    ("wan-t2v-two-experts", "vae", "AutoencoderKLWan"),
    ("hunyuan-t2v", "transformer", "HunyuanVideoTransformer3DModel"),
    ("ltx-t2v", "vae", "AutoencoderKLLTXVideo"),
    ("cogvideox-i2v", "transformer", "CogVideoXTransformer3DModel"),
    ("mochi-t2v", "transformer", "MochiTransformer3DModel"),
]


@pytest.fixture
def folder_of(tmp_path: Path) -> Callable[[str], Path]:
    def build(case: str) -> Path:
        CASES[case].build(tmp_path / case)
        return tmp_path / case

    return build


@pytest.mark.parametrize(("case", "component", "class_name"), NETWORKS)
def test_given_a_network_then_it_is_the_one_that_the_stock_loader_makes(
    case: str, component: str, class_name: str, folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_load, "_PIECE_BYTES", 3 * 4096)
    folder, cls = folder_of(case) / component, getattr(diffusers, class_name)
    stock = cls.from_pretrained(folder, dtype=torch.bfloat16)

    ours = fast_load.load_network(cls, folder, dtype=torch.bfloat16, device=CPU)

    expected = dict(stock.named_parameters()) | dict(stock.named_buffers())
    found = dict(ours.named_parameters()) | dict(ours.named_buffers())
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name
    assert dict(ours.config) == {key: value for key, value in stock.config.items() if key != "_name_or_path"}
    assert not ours.training


def _nothing_cached(_length: int) -> int:
    raise BlockingIOError


def _cannot_say(_length: int) -> int:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize(
    ("in_memory", "from_disk"),
    [(lambda length: length, False), (lambda length: length // 2, True), (_nothing_cached, True), (_cannot_say, True)],
    ids=["all", "half", "nothing", "a file system that cannot say"],
)
def test_given_pages_in_memory_then_they_are_taken_and_the_disk_is_asked_for_all_else(
    in_memory: Callable[[int], int],
    from_disk: bool,
    folder_of: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    preadv = os.preadv

    def read(file: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        asked.append(flags)
        if not flags:
            return preadv(file, buffers, offset)
        return preadv(file, [buffers[0][: in_memory(len(buffers[0]))]], offset)

    monkeypatch.setattr(os, "preadv", read)
    folder = folder_of("wan-t2v-two-experts") / "transformer"
    stock = diffusers.WanTransformer3DModel.from_pretrained(folder, dtype=torch.bfloat16)

    ours = fast_load.load_network(diffusers.WanTransformer3DModel, folder, dtype=torch.bfloat16, device=CPU)

    assert all(torch.equal(a, b) for a, b in zip(stock.parameters(), ours.parameters(), strict=True))
    assert asked.count(os.RWF_NOWAIT) > 0
    assert (0 in asked) is from_disk


def test_given_shards_then_all_are_read(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    whole = diffusers.WanTransformer3DModel.from_pretrained(folder_of("wan-t2v-two-experts") / "transformer")
    whole.save_pretrained(tmp_path / "sharded", max_shard_size="20KB")

    ours = fast_load.load_network(type(whole), tmp_path / "sharded", dtype=torch.float32, device=CPU)

    assert len(fast_load.weight_files(tmp_path / "sharded")) > 1
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), ours.parameters(), strict=True))


def test_given_a_file_cut_short_then_the_error_names_it(folder_of: Callable[[str], Path]) -> None:
    folder = folder_of("wan-t2v-two-experts") / "transformer"
    (path,) = fast_load.weight_files(folder)
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 5000)

    with pytest.raises(WeightsError, match="middle of a tensor") as refusal:
        fast_load.load_network(diffusers.WanTransformer3DModel, folder, dtype=torch.float32, device=CPU)

    assert refusal.value.file == path


def test_given_files_in_float32_when_kept_in_bfloat16_then_few_of_their_numbers_are_held_in_both(
    folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of("wan-t2v-two-experts") / "transformer"
    entries = fast_load.read_headers(fast_load.weight_files(folder))
    largest = max(entry.num_bytes for entry in entries.values())
    monkeypatch.setattr(fast_load, "CONVERTED_BYTES", 2 * largest)
    read, held = fast_load.read_tensors, []

    def watched(portion: dict[str, fast_load.Entry], device: torch.device) -> dict[str, torch.Tensor]:
        held.append(sum(entry.num_bytes for name, entry in portion.items() if not kept_in_float32(name)))
        return read(portion, device)

    def kept_in_float32(name: str) -> bool:
        return any(part in name.split(".") for part in diffusers.WanTransformer3DModel._keep_in_fp32_modules)

    monkeypatch.setattr(fast_load, "read_tensors", watched)
    fast_load.load_network(diffusers.WanTransformer3DModel, folder, dtype=torch.bfloat16, device=CPU)

    assert {entry.dtype for entry in entries.values()} == {torch.float32}
    assert len(held) > 2
    assert max(held) <= 2 * largest
