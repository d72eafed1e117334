"""Where the time of a compiled forward goes: GPU time by kind of kernel, of Wan A14B with four blocks at 480p."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from bench import denoise, networks, pipeline
from bench.record import Row
from models.speed.ceilings import Ceilings

MODEL = "wan2.2-t2v-a14b"
BLOCKS = 4
_LONGEST = 8
# What a kernel's name says of it, the first that fits.
_KINDS = (
    ("attention", ("flash", "fmha", "sdpa", "attention")),
    ("matrix products", ("gemm", "nvjet", "cutlass", "xmma", "wgmma", "_mm")),
    ("fused by the compiler", ("triton_",)),
)


def forward(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """Each kind's milliseconds and share, then the longest single kernels that are neither attention nor products."""
    del ceilings
    network = denoise.prepared(networks.denoiser(MODEL, num_layers=BLOCKS), pipeline.exact())
    _, _, grid = networks.work_of(MODEL)
    run = denoise.call_of(MODEL, network, networks.inputs(MODEL, grid))
    for _ in range(2):
        run()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        run()
        networks.synchronize()
    kernels = Counter[str]()
    for event in seen.events():
        # Of the GPU's own events alone: an operator has its kernels' time once more.
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation:
            kernels[event.name] += event.self_device_time_total / 1e3
    total_ms = sum(kernels.values())
    kinds = Counter[str]()
    for name, ms in kernels.items():
        kinds[kind_of(name)] += ms
    what = f"{MODEL}, {BLOCKS} blocks, 480p81, exact"
    others = [(name, ms) for name, ms in kernels.most_common() if kind_of(name) not in ("attention", "matrix products")]
    for name, ms in [*kinds.most_common(), *others[:_LONGEST]]:
        add(Row(what=what, variant=name[:100], value=ms, unit="ms of GPU", note=f"{100 * ms / total_ms:.1f}%"))


def kind_of(kernel: str) -> str:
    """The kind of a kernel by its name."""
    lower = kernel.lower()
    return next((kind for kind, parts in _KINDS if any(part in lower for part in parts)), "other")
