"""Seconds and US$ of a request on a slot: PFLOP over the slot's rate, plus loading, plus booting."""

from pydantic import BaseModel, ConfigDict, Field

from models.catalog import ModelSpec
from models.estimate.calibration import Calibration
from models.estimate.flops import Flops, flops
from models.estimate.layout import layout
from models.estimate.slots import Slot
from models.estimate.work import Work

# Share of the slot's matrix-product rate that each part reaches on a GPU. Denoising: 544 of 756 TFLOP/s, stock
# diffusers on one H200, Wan A14B at 480p, measured. Text: too short to fill the GPU, estimated. VAE: convolutions in
# slices of frames, limited by memory, estimated.
_DENOISE_EFFICIENCY = 0.72
_TEXT_EFFICIENCY = 0.30
_VAE_EFFICIENCY = 0.25
# On a CPU the small models' matrices do not fill the caches' blocks as a large product does. Estimated.
_CPU_EFFICIENCY = 0.35
# What each step costs beside arithmetic: kernel launches, scheduler, progress. Estimated.
_STEP_OVERHEAD_S = 0.02
# Encoding the MP4, thumbnail and spritesheet on the host, and publishing. Estimated for x264 on 4 cores.
_ENCODE_PIXELS_PER_S = 60e6
_PUBLISH_S = 1.0
# From RunInstances to an agent that polls: AMI with drivers and wheels on it. Estimated.
BOOT_S = 150.0


class Estimate(BaseModel):
    """Predicted seconds by phase, and the cost of ``billed_s`` at the slot's share of the instance's price.

    ``compute_s`` is text, image encode, denoise, decode and output; ``total_s`` adds what is still to come of booting
    and loading. ``cost_usd`` is None where no price was given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    boot_s: float = Field(ge=0)
    load_s: float = Field(ge=0)
    encode_s: float = Field(ge=0)
    denoise_s: float = Field(ge=0)
    decode_s: float = Field(ge=0)
    output_s: float = Field(ge=0)
    step_s: float = Field(ge=0)
    pflop: float = Field(ge=0)
    cost_usd: float | None = None

    @property
    def compute_s(self) -> float:
        return self.encode_s + self.denoise_s + self.decode_s + self.output_s

    @property
    def total_s(self) -> float:
        return self.boot_s + self.load_s + self.compute_s


def estimate(
    spec: ModelSpec,
    work: Work,
    slot: Slot,
    *,
    calibration: Calibration | None = None,
    usd_per_hour: float | None = None,
    loaded: bool = True,
    booted: bool = True,
) -> Estimate:
    """What the work takes on the slot.

    ``usd_per_hour`` is the price of the slot (its share of the instance). ``loaded``: the model is in the worker's
    memory already; ``booted``: an instance is running. The cost covers loading and computing, not booting, which the
    fleet meters and shares out on its own. GPUs that the model cannot use wait and are paid for.
    """
    parts = flops(spec, work)
    working = slot if slot.is_cpu else slot.model_copy(update={"count": layout(spec, work, slot.count).gpus})
    factor = 1.0 if calibration is None else calibration.factor(spec.id, slot.name)
    steps = work.num_inference_steps * max(1, len(work.shot_frames) if spec.multi_shot == "per-shot" else 1)
    denoise_s = factor * (_compute_s(parts.denoise_pf, working, _DENOISE_EFFICIENCY) + steps * _STEP_OVERHEAD_S)
    predicted = Estimate(
        boot_s=0.0 if booted else BOOT_S,
        load_s=0.0 if loaded else spec.weights.gib / slot.kind.load_gib_s,
        encode_s=factor * _encode_s(parts, slot),
        denoise_s=denoise_s,
        # One GPU decodes; the others wait.
        decode_s=factor * _compute_s(parts.decode_pf, _one_of(slot), _VAE_EFFICIENCY),
        output_s=_PUBLISH_S + _output_pixels(spec, work) / _ENCODE_PIXELS_PER_S,
        step_s=denoise_s / steps,
        pflop=parts.total_pf,
    )
    if usd_per_hour is None:
        return predicted
    cost_usd = (predicted.load_s + predicted.compute_s) * usd_per_hour / 3600.0
    return predicted.model_copy(update={"cost_usd": cost_usd})


def _compute_s(pflop: float, slot: Slot, efficiency: float) -> float:
    share = min(efficiency, _CPU_EFFICIENCY) if slot.is_cpu else efficiency
    return pflop * 1e3 / (slot.matmul_tf_s * share)


def _encode_s(parts: Flops, slot: Slot) -> float:
    one = _one_of(slot)
    return _compute_s(parts.text_pf, one, _TEXT_EFFICIENCY) + _compute_s(parts.encode_pf, one, _VAE_EFFICIENCY)


def _one_of(slot: Slot) -> Slot:
    """One GPU of the slot; all cores of a CPU."""
    return slot if slot.is_cpu else slot.model_copy(update={"count": 1})


def _output_pixels(spec: ModelSpec, work: Work) -> int:
    per_shot = spec.multi_shot == "per-shot" and work.shot_frames
    return work.width * work.height * (sum(work.shot_frames) if per_shot else work.num_frames)
