"""One request on one instance type: what the catalog, the placement and the estimate say of it, as money.

The only module here that calls :mod:`models`: the document, the plots and ``revalida costs`` all go through it, so that
they cannot disagree.
"""

from dataclasses import dataclass

from knowledge.costs import Running, UnitCost, unit_cost
from knowledge.data import Assumptions, Instance, Knowledge, Scenario
from models import catalog, estimate, placement

SLOT_WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request and its result on an instance type. Times in seconds, money in US$."""

    model: str
    size: str
    num_frames: int
    num_inference_steps: int
    video_s: float
    instance: str
    price_usd_h: float
    gpus_a_slot: int
    slots: int
    peak_gib: float
    pflop: float
    encode_s: float
    denoise_s: float
    decode_s: float
    output_s: float
    compute_s: float
    cost: UnitCost


@dataclass(frozen=True, kw_only=True)
class NoFit:
    """The request fits no slot of the instance; ``reason`` is the placement's."""

    model: str
    instance: str
    reason: str


def running_of(assumptions: Assumptions, *, with_operation: bool = True) -> Running:
    """The document's assumptions as the arithmetic takes them; the fixed cost includes the operator's hours."""
    operation = assumptions.operation_h_month.value * assumptions.operation_usd_h.value if with_operation else 0.0
    return Running(
        busy_share=assumptions.busy_share.value,
        lost_share=assumptions.lost_share.value,
        variable_usd=assumptions.variable_usd.value,
        fixed_usd_month=assumptions.fixed_usd_month.value + operation,
        hours_a_month=assumptions.hours_a_month.value,
    )


def work_of(
    spec: catalog.ModelSpec,
    *,
    size: str | None,
    num_frames: int | None,
    steps: int | None,
    guidance: float | None,
    shots: int = 1,
) -> estimate.Work:
    """The arithmetic size of a request, checked against the catalog; None means the model's default. ``shots`` cuts a
    native multi-shot video into equal parts.

    Raises models.catalog.SpecViolation, and ValueError for a size that is not written WIDTHxHEIGHT.
    """
    pixels = spec.default.size if size is None else catalog.Size.parse(size)
    catalog.check_size(spec, pixels)
    frames = catalog.check_frames(spec, spec.default.num_frames if num_frames is None else num_frames)
    count = catalog.check_steps(spec, spec.default.num_inference_steps if steps is None else steps)
    return estimate.Work(
        width=pixels.width,
        height=pixels.height,
        num_frames=frames,
        num_inference_steps=count,
        guidance_scale=spec.default.guidance_scale if guidance is None else guidance,
        has_image=spec.needs_image,
        shot_frames=equal_shots(frames, shots) if spec.multi_shot == "native" and shots > 1 else (),
    )


def equal_shots(num_frames: int, shots: int) -> tuple[int, ...]:
    """``num_frames`` in ``shots`` parts that differ by at most one frame, the longer ones first."""
    length, longer = divmod(num_frames, shots)
    return (length + 1,) * longer + (length,) * (shots - longer)


def narrowest_plan(
    spec: catalog.ModelSpec, work: estimate.Work, instance: Instance
) -> tuple[estimate.Slot, placement.Plan] | placement.Refusal:
    """The slot of fewest GPUs the request fits: for throughput many narrow workers beat one wide one."""
    refusal: placement.Refusal | None = None
    for width in SLOT_WIDTHS:
        if width > instance.gpus:
            break
        host_gib = instance.host_gib.value * width / instance.gpus
        slot = estimate.slot(instance.gpu, width, host_memory_gib=host_gib)
        plan = placement.plan(spec, work, slot)
        if not isinstance(plan, placement.Refusal):
            return slot, plan
        refusal = plan
    assert refusal is not None  # SLOT_WIDTHS starts at one GPU
    return refusal


def case(
    model_id: str,
    instance: Instance,
    running: Running,
    *,
    size: str | None = None,
    num_frames: int | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    shots: int = 1,
    price_usd_h: float | None = None,
) -> Case | NoFit:
    """What a request costs on an instance type, at ``price_usd_h`` or the data's median Spot price."""
    spec = catalog.get(model_id)
    work = work_of(spec, size=size, num_frames=num_frames, steps=steps, guidance=guidance, shots=shots)
    fitted = narrowest_plan(spec, work, instance)
    if isinstance(fitted, placement.Refusal):
        return NoFit(model=model_id, instance=instance.type, reason=fitted.message)
    slot, plan = fitted
    price = instance.spot_median_usd_h if price_usd_h is None else price_usd_h
    seconds = estimate.estimate(spec, work, slot)
    slots = instance.gpus // slot.count
    return Case(
        model=model_id,
        size=f"{work.width}x{work.height}",
        num_frames=work.num_frames,
        num_inference_steps=work.num_inference_steps,
        video_s=(work.num_frames - 1) / spec.fps,  # the catalog's rule: 17 frames at 16 fps are 1 s
        instance=instance.type,
        price_usd_h=price,
        gpus_a_slot=slot.count,
        slots=slots,
        peak_gib=plan.predicted_peak_gib,
        pflop=seconds.pflop,
        encode_s=seconds.encode_s,
        denoise_s=seconds.denoise_s,
        decode_s=seconds.decode_s,
        output_s=seconds.output_s,
        compute_s=seconds.compute_s,
        cost=unit_cost(seconds_a_video=seconds.compute_s, slots=slots, price_usd_h=price, running=running),
    )


def scenario_case(
    known: Knowledge, scenario: Scenario, instance: Instance, *, price_usd_h: float | None = None
) -> Case | NoFit:
    """A scenario of the document on an instance type, under the document's assumptions."""
    return case(
        scenario.model,
        instance,
        running_of(known.assumptions),
        size=scenario.size,
        num_frames=scenario.num_frames,
        steps=scenario.num_inference_steps,
        guidance=scenario.guidance_scale,
        shots=scenario.shots,
        price_usd_h=price_usd_h,
    )
