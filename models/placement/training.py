"""How a LoRA of a model is trained on a slot: in what precision the frozen base is kept, so that it fits."""

from dataclasses import replace
from typing import Literal, NamedTuple

from models.catalog import ModelSpec
from models.estimate import Layout, Slot, Work
from models.estimate.training import TrainingWork
from models.placement import memory

BasePrecision = Literal["full", "int8", "nf4"]

# Share of the bf16 weights that stays: int8's is that of `memory`; NF4 keeps half a byte a number and its scales.
_SHARES: dict[BasePrecision, float] = {"full": 1.0, "int8": 13.4 / 26.6, "nf4": 0.29}
# With gradient checkpointing: the activations of one block at a time, and what each block was given, in forwards.
_ACTIVATIONS = 4.0
# Bytes of a LoRA's parameter: in float32 with two 8-bit moments for every expert, all of which stay; its gradient and
# the half-precision copy that autocast computes with, for the expert whose turn it is (`models.lora_training.run`).
_KEPT_BYTES = 4 + 2
_AT_WORK_BYTES = 4 + 2
_RESERVE_GIB = 1.0  # CUDA's context, cuDNN's and cuBLAS's workspaces, what lies between blocks of memory
_MARGIN = 1.05


class TrainingPlacement(NamedTuple):
    """`base`: the precision of the frozen weights; `peak_gib` predicted on one GPU (0 on a CPU)."""

    base: BasePrecision
    eight_bit_optimiser: bool
    gradient_checkpointing: bool
    peak_gib: float


class TrainingRefusal(NamedTuple):
    """Why the slot cannot hold the training; `nearest_rank` is the largest that it can, None where none is."""

    reason: str
    nearest_rank: int | None


def plan_training(spec: ModelSpec, work: TrainingWork, slot: Slot | None) -> TrainingPlacement | TrainingRefusal:
    """The most exact precision that fits the slot's GPU; None is a CPU (or a GPU nobody knows), which trains as is."""
    if slot is None or slot.is_cpu:
        return TrainingPlacement("full", eight_bit_optimiser=False, gradient_checkpointing=False, peak_gib=0.0)
    room = slot.kind.memory_gib - _RESERVE_GIB
    for precision in _SHARES:
        peak = _peak_gib(spec, work, precision)
        if peak <= room:
            return TrainingPlacement(
                precision, eight_bit_optimiser=True, gradient_checkpointing=True, peak_gib=round(peak, 1)
            )
    return _refusal(spec, work, slot, room)


def _peak_gib(spec: ModelSpec, work: TrainingWork, precision: BasePrecision) -> float:
    """Of one GPU: while texts are encoded, or in a step."""
    picture = Work(
        width=work.width, height=work.height, num_frames=work.num_frames, num_inference_steps=1, guidance_scale=1.0
    )
    forward = memory.denoise_gib(spec, picture, Layout(cfg=1, ulysses=1), 2)
    activations = _ACTIVATIONS * work.batch_size * forward
    # All experts stay: two of a 14B model in NF4 take less than one in bf16.
    networks = spec.arch.experts * memory.expert_gib(spec, 2) * _SHARES[precision]
    networks += memory.vae_gib(spec, spec.arch.vae.weight_bytes)
    text = memory.text_gib(spec, 2) + memory.TEXT_ACTIVATIONS_GIB
    return _MARGIN * max(text, networks + activations + _lora_gib(spec, work.rank))


def _lora_gib(spec: ModelSpec, rank: int) -> float:
    bytes_per_parameter = spec.arch.experts * _KEPT_BYTES + _AT_WORK_BYTES
    return memory.lora_parameters(spec, rank) * bytes_per_parameter / memory.GIB


def _refusal(spec: ModelSpec, work: TrainingWork, slot: Slot, room_gib: float) -> TrainingRefusal:
    least: BasePrecision = "nf4"
    peak = _peak_gib(spec, work, least)
    smaller = (replace(work, rank=rank) for rank in range(work.rank - 1, 0, -1))
    nearest = next((each.rank for each in smaller if _peak_gib(spec, each, least) <= room_gib), None)
    reason = (
        f"Training a LoRA of rank {work.rank} for {spec.id} takes about {peak:.1f} GiB of one GPU; {slot.name} has "
        f"{room_gib:.1f} GiB."
    )
    advice = "" if nearest is None else f" Rank {nearest} would fit."
    return TrainingRefusal(reason=f"{reason}{advice}", nearest_rank=nearest)
