"""What there is to measure, by name, in order of worth. Each section runs in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bench.record import Row
from models.speed.ceilings import Ceilings

Measure = Callable[[Ceilings, Callable[[Row], None]], None]


class Task(NamedTuple):
    """`run` measures; `limit_s` is when its process is stopped."""

    run: Measure
    limit_s: float


def _wan_480p(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    import torch

    from bench import denoise

    chosen = denoise.variants("wan2.2-t2v-a14b")
    if torch.cuda.get_device_properties(0).total_memory < 100e9:
        del chosen["fast, int8"]  # weights in bfloat16, twice in fp8 and in int8 do not fit 80 GB together
    denoise.compare("wan2.2-t2v-a14b", ceilings, add, chosen=chosen)


def _wan_720p(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    from bench import denoise

    chosen = denoise.variants("wan2.2-t2v-a14b", quantised=False)
    del chosen["stock, _native_cudnn"]
    denoise.compare("wan2.2-t2v-a14b", ceilings, add, size=(1280, 720), chosen=chosen)


def _holocine(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    from bench import denoise

    chosen = denoise.variants("holocine-14b", quantised=False)
    del chosen["stock, _native_cudnn"]
    for model_id in ("holocine-14b", "holocine-14b-sparse"):
        denoise.compare(model_id, ceilings, add, chosen=chosen, repeats=3, limit_s=100.0)


def _denoise(model_id: str) -> Measure:
    def run(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
        from bench import denoise

        chosen = denoise.variants(model_id)
        chosen.pop("fast, int8", None)
        denoise.compare(model_id, ceilings, add, chosen=chosen, limit_s=100.0)

    return run


def _decode(model_id: str) -> Measure:
    def run(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
        from bench import decode

        decode.compare(model_id, ceilings, add)

    return run


def _ceilings(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    from bench.loading import scratch
    from models.speed.ceilings import disk_read_gb_s

    with scratch() as folder:
        found = ceilings.model_copy(update={"disk_gb_s": disk_read_gb_s(folder)})
    for name, unit in (("matmul", "TF/s"), ("int8", "TF/s"), ("fp8", "TF/s")):
        add(Row(what=f"{name} 8192 x 8192 x 8192", variant="ceiling", value=getattr(found, f"{name}_tf_s"), unit=unit))
    for name in ("copy", "host_to_device", "disk"):
        add(Row(what=name.replace("_", " "), variant="ceiling", value=getattr(found, f"{name}_gb_s"), unit="GB/s"))


def _kernels(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    from bench import kernels

    kernels.attention_kernels(ceilings, add)
    kernels.linears(ceilings, add)


def _of(module: str, function: str) -> Measure:
    def run(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
        import importlib

        getattr(importlib.import_module(f"bench.{module}"), function)(ceilings, add)

    return run


SECTIONS: dict[str, Task] = {
    "ceilings": Task(_ceilings, 60.0),
    "kernels": Task(_kernels, 90.0),
    "wan-480p": Task(_wan_480p, 260.0),
    "lora-beside": Task(_of("beside", "lora"), 150.0),
    "profile": Task(_of("profile", "forward"), 120.0),
    "checkpoints": Task(_of("pipeline", "checkpoints"), 150.0),
    "streamed": Task(_of("capped", "streamed_against_resident"), 260.0),
    "whole": Task(_of("pipeline", "whole"), 240.0),
    "decode-wan": Task(_decode("wan2.2-t2v-a14b"), 240.0),
    "hunyuan": Task(_denoise("hunyuan-video"), 330.0),
    "capped": Task(_of("capped", "every_model"), 400.0),
    "capped-holocine": Task(_of("capped", "holocine"), 400.0),
    "decode-ti2v": Task(_decode("wan2.2-ti2v-5b"), 330.0),
    "ti2v": Task(_denoise("wan2.2-ti2v-5b"), 120.0),
    "cogvideox": Task(_denoise("cogvideox-5b"), 120.0),
    "mochi": Task(_denoise("mochi-1"), 150.0),
    "ltx": Task(_denoise("ltx-video"), 100.0),
    "loading": Task(_of("loading", "from_disk"), 200.0),
    "switching": Task(_of("loading", "switching"), 100.0),
    "cold": Task(_of("cold", "start"), 300.0),
    "holocine": Task(_holocine, 300.0),
    "wan-720p": Task(_wan_720p, 260.0),
    "parallel": Task(_of("parallel", "scaling"), 560.0),
}
# Sections that run where they are asked for alone: this one needs several GPUs of one host.
ON_REQUEST = frozenset({"parallel"})
