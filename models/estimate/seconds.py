"""Seconds and US$ of a request on a slot: PFLOP over the slot's rate, plus loading, plus booting."""

from pydantic import BaseModel, ConfigDict, Field

from models.catalog import ModelSpec
from models.estimate.calibration import Calibration
from models.estimate.flops import Flops, flops
from models.estimate.layout import layout
from models.estimate.measured import (
    BOOT,
    CPU_EFFICIENCY,
    GPU_EFFICIENCY,
    OUTPUT_PIXELS_PER_S,
    PUBLISH_S,
    STEP_OVERHEAD_S,
    Part,
)
from models.estimate.slots import Slot
from models.estimate.work import Work

BOOT_S = BOOT.value


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
    def modelled_s(self) -> float:
        """The part that finished jobs correct: what follows from the slot's rate."""
        return self.encode_s + self.denoise_s + self.decode_s

    @property
    def compute_s(self) -> float:
        return self.modelled_s + self.output_s

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
    factor = 1.0 if calibration is None else _factor(calibration, spec, work, slot)
    steps = work.num_inference_steps * max(1, len(work.shot_frames) if spec.multi_shot == "per-shot" else 1)
    denoise_s = factor * (_compute_s(parts.denoise_pf, working, "denoise") + steps * STEP_OVERHEAD_S.value)
    predicted = Estimate(
        boot_s=0.0 if booted else BOOT_S,
        load_s=0.0 if loaded else spec.weights.gib / slot.kind.load_gib_s,
        encode_s=factor * _encode_s(parts, slot),
        denoise_s=denoise_s,
        # One GPU decodes; the others wait.
        decode_s=factor * _compute_s(parts.decode_pf, _one_of(slot), "vae"),
        output_s=PUBLISH_S.value + _output_pixels(spec, work) / OUTPUT_PIXELS_PER_S.value,
        step_s=denoise_s / steps,
        pflop=parts.total_pf,
    )
    if usd_per_hour is None:
        return predicted
    cost_usd = (predicted.load_s + predicted.compute_s) * usd_per_hour / 3600.0
    return predicted.model_copy(update={"cost_usd": cost_usd})


def _factor(calibration: Calibration, spec: ModelSpec, work: Work, slot: Slot) -> float:
    """What to multiply the prediction by, at the slot's own rate.

    Samples are relative to the rates of `SLOT_KINDS`, which no benchmark moves: the benchmark of a card that jobs have
    shown to be slow says the same again, and must not count again.
    """
    unmeasured = slot.unmeasured
    if unmeasured == slot:
        return calibration.factor(spec.id, slot.name)
    benchmark = estimate(spec, work, slot).modelled_s / estimate(spec, work, unmeasured).modelled_s
    return calibration.factor(spec.id, slot.name, benchmark=benchmark) / benchmark


def _compute_s(pflop: float, slot: Slot, part: Part) -> float:
    efficiency = (CPU_EFFICIENCY if slot.is_cpu else GPU_EFFICIENCY)[part].value
    return pflop * 1e3 / (slot.matmul_tf_s * efficiency)


def _encode_s(parts: Flops, slot: Slot) -> float:
    one = _one_of(slot)
    return _compute_s(parts.text_pf, one, "text") + _compute_s(parts.encode_pf, one, "vae")


def _one_of(slot: Slot) -> Slot:
    """One GPU of the slot; all cores of a CPU."""
    return slot if slot.is_cpu else slot.model_copy(update={"count": 1})


def _output_pixels(spec: ModelSpec, work: Work) -> int:
    per_shot = spec.multi_shot == "per-shot" and work.shot_frames
    return work.width * work.height * (sum(work.shot_frames) if per_shot else work.num_frames)
