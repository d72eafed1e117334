"""`python -m training.bench_lora --model hunyuan-video`: LoRA steps at full size on one GPU, on random weights.

Seconds of a step and peak memory under a cap, by the very steps that a character's training makes, and what 1,500 of
them would cost on a g5.12xlarge. Random numbers in place of trained ones change neither time nor memory.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import PIL.Image
import torch
from accelerate import Accelerator

from models import catalog
from models.catalog import ModelSpec
from models.common.embeddings import Embedding
from models.estimate import OFFERS, Slot
from models.estimate.training import TrainingWork, training_step_s
from models.interface import GenerationRequest
from models.lora_training.examples import Example
from models.lora_training.family import TrainingFamily
from models.lora_training.request import BasePrecision, LoraTrainingRequest, Reference, TrainingStep, Watchers
from models.lora_training.run import Run

CHARACTER_STEPS = 1_500
INSTANCE = "g5.12xlarge"
WARM_UP = 3
GIB = 2**30
CAPTION = "zxbench in the rain"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model at its training size: its denoiser's class and configuration (as far as it differs from the class's
    defaults, which are the published ones), latents (c, f, h, w) and texts (named shapes without the batch)."""

    denoiser: str
    latents: tuple[int, int, int, int]
    texts: Mapping[str, tuple[int, ...]]
    scheduler: Any
    width: int
    height: int
    config: Mapping[str, Any]


CASES = {
    "wan2.2-t2v-a14b": Case(
        denoiser="WanTransformer3DModel",
        latents=(16, 1, 60, 104),
        texts={"embeds": (512, 4096)},
        scheduler=diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        width=832,
        height=480,
        config={},
    ),
    "hunyuan-video": Case(
        denoiser="HunyuanVideoTransformer3DModel",
        latents=(16, 1, 68, 120),
        texts={"embeds": (256, 4096), "pooled": (768,), "mask": (256,)},
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        width=960,
        height=544,
        config={},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds of a step (the median after warming up), and the most that was allocated, GiB (0 on a CPU)."""

    step_s: float
    peak_gib: float


def measure(
    spec: ModelSpec, case: Case, *, base: BasePrecision, rank: int, batch_size: int, steps: int, device: str
) -> Measured:
    """Train for `steps` steps on random weights."""
    on_gpu = device == "cuda"
    accelerator = Accelerator(cpu=not on_gpu, mixed_precision="bf16" if on_gpu else "no")
    family = _family(spec)
    parts = list(family.generation.denoisers)[: spec.arch.experts]
    dtype = torch.bfloat16 if on_gpu else torch.float32
    networks = {part: random_network(case, base, dtype=dtype, device=device) for part in parts}
    pipe = SimpleNamespace(scheduler=case.scheduler, vae=SimpleNamespace(dtype=dtype), **networks)
    seconds: list[float] = []

    def on_step(step: TrainingStep) -> None:
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(step.seconds)

    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            _request(spec, case, Path(folder), base=base, rank=rank, batch_size=batch_size, steps=steps, on_gpu=on_gpu),
            family=family,
            accelerator=accelerator,
            pipe=pipe,
            experts={part: family.generation.denoisers[part] for part in parts},
            examples=[Example(torch.randn(1, *case.latents), CAPTION, (case.width, case.height))] * 8,
            texts={text: _text(case, dtype) for text in (CAPTION, "")},
            fields={},
        )
        run.go(Watchers(on_step=on_step, on_phase=lambda _phase: None, on_sample=lambda _step, _frames: None))
    peak_gib = torch.cuda.max_memory_allocated() / GIB if on_gpu else 0.0
    return Measured(step_s=statistics.median(seconds[WARM_UP:] or seconds), peak_gib=peak_gib)


def random_network(case: Case, base: BasePrecision, *, dtype: torch.dtype, device: str) -> Any:
    """The denoiser with small random weights, its linear layers in the precision of `base`; never whole on the host.

    What the class wants in float32 stays there, unquantised, as when published weights are read."""
    with torch.device("meta"):
        network = getattr(diffusers, case.denoiser)(**case.config)
    for name, module in network.named_modules():
        if not _kept_wide(network, name):
            for parameter in module.parameters(recurse=False):
                parameter.data = parameter.data.to(dtype)
    if base != "full":
        _quantise(network, base, dtype, device)
    for module in network.modules():
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if tensor.is_meta:
                filled = torch.randn(tensor.shape, device=device, dtype=tensor.dtype) * 0.02
                replaced = torch.nn.Parameter(filled) if isinstance(tensor, torch.nn.Parameter) else filled
                setattr(module, name, replaced)
    network.requires_grad_(False)
    return network


def _kept_wide(network: torch.nn.Module, name: str) -> bool:
    return not set(name.split(".")).isdisjoint(getattr(network, "_keep_in_fp32_modules", None) or ())


def _quantise(network: torch.nn.Module, base: BasePrecision, dtype: torch.dtype, device: str) -> None:
    """Puts bitsandbytes' layers in the place of the linear ones, one at a time."""
    import bitsandbytes as bnb

    linear = [
        (name, each)
        for name, each in network.named_modules()
        if isinstance(each, torch.nn.Linear) and not _kept_wide(network, name)
    ]
    for name, layer in linear:
        # Drawn where that is quick; the layers quantise what comes from the host.
        weight = (torch.randn(layer.weight.shape, dtype=dtype, device=device) * 0.02).to("cpu")
        bias = layer.bias is not None
        if base == "nf4":
            made = bnb.nn.Linear4bit(
                layer.in_features, layer.out_features, bias, compute_dtype=dtype, quant_type="nf4", device="meta"
            )
            made.weight = bnb.nn.Params4bit(weight, requires_grad=False, quant_type="nf4")
        else:
            made = bnb.nn.Linear8bitLt(
                layer.in_features, layer.out_features, bias, has_fp16_weights=False, device="meta"
            )
            made.weight = bnb.nn.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
        if bias:
            made.bias = torch.nn.Parameter(torch.zeros(layer.out_features, dtype=dtype), requires_grad=False)
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent) if parent else network, own, made.to(device))
    # What peft looks at to choose its layer.
    setattr(network, "is_loaded_in_4bit" if base == "nf4" else "is_loaded_in_8bit", True)


def _family(spec: ModelSpec) -> TrainingFamily:
    from importlib import import_module

    index = {"boundary_ratio": 0.875 if spec.arch.experts > 1 else None}
    family: TrainingFamily = import_module(f"{spec.module}.training").training_family(index)
    return family


def _text(case: Case, dtype: torch.dtype) -> Embedding:
    return {
        name: torch.ones(1, *shape) if name == "mask" else torch.randn(1, *shape, dtype=dtype)
        for name, shape in case.texts.items()
    }


def _request(
    spec: ModelSpec,
    case: Case,
    folder: Path,
    *,
    base: BasePrecision,
    rank: int,
    batch_size: int,
    steps: int,
    on_gpu: bool,
) -> LoraTrainingRequest:
    picture = folder / "picture.png"
    PIL.Image.new("RGB", (8, 8)).save(picture)
    sample = GenerationRequest(
        model=spec.id,
        prompt=CAPTION,
        width=case.width,
        height=case.height,
        num_frames=1,
        fps=spec.fps,
        num_inference_steps=1,
        guidance_scale=1.0,
        seed=0,
    )
    return LoraTrainingRequest(
        model=spec.id,
        references=(Reference(path=picture, caption=CAPTION),),
        trigger="zxbench",
        width=case.width,
        height=case.height,
        steps=steps,
        rank=rank,
        alpha=float(rank),
        learning_rate=1e-4,
        batch_size=batch_size,
        caption_dropout=0.1,
        base=base,
        optimizer="adamw8bit" if on_gpu else "adamw",
        gradient_checkpointing=True,
        seed=0,
        sample=sample,
    )


def predicted(spec: ModelSpec, case: Case, *, batch_size: int, rank: int) -> tuple[float, float | None]:
    """Seconds of a step on one A10G by the estimate's arithmetic, and US$ of a character on its share of it."""
    slot = Slot.parse("A10G")
    work = TrainingWork(
        width=case.width,
        height=case.height,
        steps=CHARACTER_STEPS,
        batch_size=batch_size,
        rank=rank,
        checkpointing=True,
    )
    step_s = training_step_s(spec, work, slot)
    offer = OFFERS[INSTANCE]
    hourly = offer.spot_usd_per_hour
    return step_s, None if hourly is None else CHARACTER_STEPS * step_s / 3600 * hourly / offer.gpus


def main() -> None:
    """Print one model's figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(CASES), required=True)
    parser.add_argument("--base", choices=("full", "int8", "nf4"), default="nf4")
    parser.add_argument("--cap-gib", type=float, default=22.0)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--steps", type=int, default=13)
    arguments = parser.parse_args()
    spec, case = catalog.get(arguments.model), CASES[arguments.model]
    total_gib = torch.cuda.get_device_properties(0).total_memory / GIB
    torch.cuda.set_per_process_memory_fraction(min(1.0, arguments.cap_gib / total_gib))
    began_s = time.perf_counter()
    found = measure(
        spec,
        case,
        base=arguments.base,
        rank=arguments.rank,
        batch_size=arguments.batch_size,
        steps=arguments.steps,
        device="cuda",
    )
    step_s, cost_usd = predicted(spec, case, batch_size=arguments.batch_size, rank=arguments.rank)
    print(
        f"{torch.cuda.get_device_name(0)}, cap {arguments.cap_gib:g} GiB, {time.perf_counter() - began_s:.0f} s in all"
    )
    print(
        f"{spec.id}, {case.width}x{case.height}, base {arguments.base}, rank {arguments.rank}, "
        f"batch {arguments.batch_size}"
    )
    print(f"measured: {found.step_s:.3f} s a step, peak {found.peak_gib:.2f} GiB allocated")
    cost = "unknown" if cost_usd is None else f"US$ {cost_usd:.2f}"
    print(f"predicted on one A10G of a {INSTANCE} (Spot): {step_s:.2f} s a step, {CHARACTER_STEPS} steps: {cost}")


if __name__ == "__main__":
    main()
