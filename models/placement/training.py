"""How a LoRA of a model is trained on a slot: in what precision the frozen base is kept, so that it fits."""

from typing import Literal, NamedTuple

from models.catalog import ModelSpec
from models.estimate import Layout, Slot, Work
from models.estimate.training import TrainingWork
from models.placement import memory
from models.placement.plan import Refusal

BasePrecision = Literal["full", "int8", "nf4"]

# Share of the bf16 weights that stays: int8's is that of `memory`; NF4 keeps half a byte a number and its scales.
_SHARES: dict[BasePrecision, float] = {"full": 1.0, "int8": 13.4 / 26.6, "nf4": 0.29}
# With gradient checkpointing: the activations of one block at a time, and what each block was given, in forwards.
_ACTIVATIONS = 4.0
_RESERVE_GIB = 1.5  # CUDA's context, the LoRA with its moments, fragmentation
_MARGIN = 1.05


class TrainingPlacement(NamedTuple):
    """`base`: the precision of the frozen weights; `peak_gib` predicted on one GPU (0 on a CPU)."""

    base: BasePrecision
    eight_bit_optimiser: bool
    gradient_checkpointing: bool
    peak_gib: float


def plan_training(spec: ModelSpec, work: TrainingWork, slot: Slot | None) -> TrainingPlacement | Refusal:
    """The most exact precision that fits the slot's GPU; None is a CPU (or a GPU nobody knows), which trains as is."""
    if slot is None or slot.is_cpu:
        return TrainingPlacement("full", eight_bit_optimiser=False, gradient_checkpointing=False, peak_gib=0.0)
    picture = Work(
        width=work.width, height=work.height, num_frames=work.num_frames, num_inference_steps=1, guidance_scale=1.0
    )
    forward = memory.denoise_gib(spec, picture, Layout(cfg=1, ulysses=1), 2)
    activations = _ACTIVATIONS * work.batch_size * forward
    text = memory.text_gib(spec, 2) + memory.TEXT_ACTIVATIONS_GIB
    room = slot.kind.memory_gib - _RESERVE_GIB
    peak = 0.0
    for precision, share in _SHARES.items():
        # All experts stay: two of a 14B model in NF4 take less than one in bf16.
        networks = spec.arch.experts * memory.expert_gib(spec, 2) * share
        networks += memory.vae_gib(spec, spec.arch.vae.weight_bytes)
        peak = _MARGIN * max(text, networks + activations)
        if peak <= room:
            return TrainingPlacement(
                precision, eight_bit_optimiser=True, gradient_checkpointing=True, peak_gib=round(peak, 1)
            )
    reason = f"Training a LoRA for {spec.id} takes about {peak:.0f} GiB of one GPU; {slot.name} has {room:.0f} GiB."
    return Refusal(code="gpu_memory", reason=reason, nearest_slot=None, nearest_work=None)
