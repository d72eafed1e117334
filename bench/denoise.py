"""One forward of a full-size denoiser: stock against ours, in turn in one process, with errors against float32."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from bench import networks
from bench.networks import CUDA
from bench.record import Row
from models import catalog
from models.estimate.denoiser import forward_flops
from models.speed import attention
from models.speed.ceilings import Ceilings, products
from models.speed.quantised import Format, supported
from models.speed.tiers import NONE, Acceleration, accelerate, acceleration
from models.speed.timing import seconds_of

REPEATS = 5
STOCK = "stock"
CEILING = "ceiling"


def variants(model_id: str, *, quantised: bool = True) -> dict[str, Acceleration]:
    """What is compared: the stock class with its default attention and with cuDNN's, and our two tiers."""
    ours = {STOCK: NONE, "stock, _native_cudnn": Acceleration(kernel="_native_cudnn"), "exact": exact(model_id)}
    if quantised and supported("float8", CUDA):
        ours["fast, fp8"] = replace(exact(model_id), linears="float8")
        ours["fast, fp8 with its attention"] = fast(model_id)
    if quantised:
        ours["fast, int8"] = replace(exact(model_id), linears="int8")
    return ours


def exact(model_id: str) -> Acceleration:
    """What the exact tier means for a model on this GPU."""
    return acceleration("exact", CUDA, head_dim=_head_dim(model_id), linears=None)


def fast(model_id: str) -> Acceleration:
    """What the fast tier means for a model on this GPU, without the step cache, which leaves computation out instead
    of making it faster."""
    linears: Format = "float8" if supported("float8", CUDA) else "int8"
    return replace(acceleration("fast", CUDA, head_dim=_head_dim(model_id), linears=linears), step_cache=None)


def _head_dim(model_id: str) -> int:
    return 64 if model_id.startswith(("cogvideox", "ltx")) else 128


def sharing(network: Any) -> Any:
    """A second module over the same tensors, to be changed without changing the first."""
    memo = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    return copy.deepcopy(network, memo)


def compare(
    model_id: str,
    ceilings: Ceilings,
    add: Callable[[Row], None],
    *,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    chosen: Mapping[str, Acceleration] | None = None,
    repeats: int = REPEATS,
    limit_s: float = 240.0,
) -> None:
    """Times every variant in turn, `repeats` times after one warm-up; fewer where `limit_s` is over.

    The share of the ceiling is of what a rested card does for some milliseconds. Products that have their turn among
    the variants say in the note what the same card does for long.
    """
    spec, work, grid = networks.work_of(model_id, size, frames)
    wanted = dict(chosen or variants(model_id))
    errors = errors_of(model_id, grid, wanted)
    base = networks.denoiser(model_id)
    runs = {name: _call(model_id, prepared(base, each), grid) for name, each in wanted.items()}
    run_products, products_tf = products(CUDA)
    times, outs = in_turn(runs | {CEILING: run_products}, repeats=repeats, limit_s=limit_s)
    lasting_tf_s = products_tf / median(times.pop(CEILING))
    pflop = forward_flops(spec.arch.denoiser, grid, has_image=False) / 1e15
    what = f"{model_id} {work.width}x{work.height}x{work.num_frames}"
    stock_s = median(times.get(STOCK) or [float("nan")])
    for name, taken in times.items():
        middle = median(taken)
        tf_s = pflop * 1e3 / middle
        apart = f"; {difference(outs[name], outs[STOCK]):.1e} from stock, whole network" if STOCK in outs else ""
        add(
            Row(
                what=what,
                variant=name,
                value=middle,
                unit="s/forward",
                repeats=len(taken),
                spread=(max(taken) - min(taken)) / middle,
                of_ceiling=tf_s / ceilings.matmul_tf_s,
                ceiling="matmul_tf_s",
                speedup=stock_s / middle,
                error=errors.get(name),
                reference="float32, two blocks of each kind",
                note=f"{tf_s:.0f} TF/s, {tf_s / lasting_tf_s:.3f} of products in turn{apart}",
            )
        )


def in_turn(
    runs: Mapping[str, Callable[[], torch.Tensor]], *, repeats: int = REPEATS, limit_s: float = 240.0
) -> tuple[dict[str, list[float]], dict[str, torch.Tensor]]:
    """Seconds of every run, one after the other `repeats` times after one warm-up (fewer where `limit_s` is over), and
    what each gave last."""
    outs: dict[str, torch.Tensor] = {}
    times: dict[str, list[float]] = {name: [] for name in runs}
    began_s = time.monotonic()
    for turn in range(repeats + 1):
        if turn > 1 and time.monotonic() - began_s > limit_s:
            break
        for name, run in runs.items():
            seconds = seconds_of(lambda run=run, name=name: outs.__setitem__(name, run()), CUDA)  # type: ignore[misc]
            if turn:
                times[name].append(seconds)
    return times, outs


def prepared(base: Any, chosen: Acceleration) -> Any:
    """`base` for the stock variant, else a module over the same weights with `chosen` applied."""
    if chosen == NONE:
        return base
    network = sharing(base)
    if chosen.kernel == "_native_cudnn" and not chosen.compiled:
        attention.use(network, chosen.kernel)
        return network
    accelerate(network, chosen)
    return network


def errors_of(model_id: str, grid: Any, wanted: Mapping[str, Acceleration]) -> dict[str, float]:
    """Of each variant with two blocks of each kind, against the same in float32, at full size."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(5)
    short = networks.denoiser(model_id, num_layers=2, dtype=torch.bfloat16)
    given = networks.inputs(model_id, grid)
    wide = networks.denoiser(model_id, num_layers=2, dtype=torch.float32)
    wide.load_state_dict(short.state_dict())
    upcast = {name: _as_float(value) for name, value in given.items()}
    reference = call_of(model_id, wide, upcast)()
    del wide
    found = {
        name: difference(call_of(model_id, prepared(short, each), given)(), reference) for name, each in wanted.items()
    }
    torch.backends.cudnn.allow_tf32 = True
    networks.release()
    return found


def _as_float(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_as_float(each) for each in value)
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def _call(model_id: str, network: Any, grid: Any) -> Callable[[], torch.Tensor]:
    torch.manual_seed(7)
    return call_of(model_id, network, networks.inputs(model_id, grid))


def call_of(model_id: str, network: Any, given: dict[str, Any]) -> Callable[[], torch.Tensor]:
    native = catalog.get(model_id).multi_shot == "native"
    frames = given["hidden_states"].shape[2]

    def run() -> torch.Tensor:
        shots = network.use_shots(networks.shots(4 * (frames - 1) + 1)) if native else nullcontext()
        with torch.no_grad(), shots:
            out: torch.Tensor = network(**given)[0]
        return out

    return run


def difference(out: torch.Tensor, reference: torch.Tensor) -> float:
    """||out - reference|| / ||reference||, summed in float32."""
    wide = reference.float()
    return float((out.float() - wide).norm() / wide.norm())
