"""Seconds of training a LoRA, by the same arithmetic as generating."""

from dataclasses import dataclass

from models.catalog import ModelSpec
from models.estimate.denoiser import forward_flops
from models.estimate.measured import CPU_EFFICIENCY, GPU_EFFICIENCY, STEP_OVERHEAD_S
from models.estimate.slots import Slot
from models.estimate.work import Work, latent_grid

# Forwards' worth of arithmetic in one step of one example: the forward, and its gradients with respect to the
# activations (those of the frozen weights are not made; attention's are twice its forward).
PASSES = 2.5
RECOMPUTED = 1.0  # gradient checkpointing runs the forward a second time
PRIOR_SHARE = 0.25  # of the examples, shown again without the trigger
PRIOR_PASSES = 1.0  # the base's own prediction


@dataclass(frozen=True, kw_only=True)
class TrainingWork:
    """The size of a training: pictures of `width` x `height` pixels, held for `num_frames`; `steps` over all experts.
    `rank` is the LoRA's.

    `prior`: with the loss that holds the model to itself; `checkpointing`: activations are made again, not kept."""

    width: int
    height: int
    num_frames: int = 1
    steps: int
    batch_size: int
    rank: int
    prior: bool = False
    checkpointing: bool = False


def training_step_s(spec: ModelSpec, work: TrainingWork, slot: Slot) -> float:
    """Seconds of one optimiser step on the slot's first GPU (all cores of a CPU)."""
    picture = Work(
        width=work.width, height=work.height, num_frames=work.num_frames, num_inference_steps=1, guidance_scale=1.0
    )
    forward = forward_flops(spec.arch.denoiser, latent_grid(spec, picture, work.num_frames), has_image=False)
    trained = PASSES + (RECOMPUTED if work.checkpointing else 0.0)
    passes = trained + (PRIOR_SHARE * (trained + PRIOR_PASSES) if work.prior else 0.0)
    efficiency = (CPU_EFFICIENCY if slot.is_cpu else GPU_EFFICIENCY)["denoise"].value
    rate = slot.matmul_tf_s if slot.is_cpu else slot.kind.matmul_tf_s
    return float(work.batch_size * passes * forward / (rate * efficiency * 1e12)) + STEP_OVERHEAD_S.value
