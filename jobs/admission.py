"""Can the fleet run this request, and what would it take? Asked at the door, by quotes and by `GET /v1/models`."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from jobs import clock
from jobs.errors import RequestError
from jobs.fleet import Abilities, Ability, FleetStore
from jobs.job import Estimate
from jobs.request import VideoRequest
from jobs.training import TrainingPlan
from models import catalog, estimate, placement
from models.catalog import ModelSpec, Size
from models.estimate import BOOT_S, OFFERS, Calibration, Offer, Slot, Work
from models.estimate.training import TrainingWork, training_step_s
from models.placement import Refusal
from models.placement.training import TrainingRefusal, plan_training

REPORTS_KEPT_S = 30.0
SLOT_GPUS = (1, 2, 4, 8)


class Runnable(NamedTuple):
    """Whether the fleet can run something; None while only an instance can tell and none has. `reason` says why not."""

    runnable: bool | None
    reason: str | None


class Option(NamedTuple):
    """A slot of a kind of instance; the price is the slot's share of the instance, US$ an hour."""

    kind: str
    slot: Slot
    usd_per_hour: float | None
    boot_s: float


class Verdict(NamedTuple):
    """Whether some slot can run it, and the first that can (or, if none can, the first there is)."""

    runnable: Runnable
    option: Option


class Admission:
    """Decides by what the fleet's instances reported of themselves, and before any has, by their published shapes.

    `weights` tells the models whose weights are in the bucket. An instance's word on those is as old as its start."""

    def __init__(
        self,
        *,
        fleet: FleetStore,
        instance_types: tuple[str, ...],
        weights: Callable[[], Collection[str]],
        acknowledged_licences: Collection[str] = (),
        calibration: Callable[[], Calibration] = Calibration,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self.instance_types = instance_types
        self._acknowledged = acknowledged_licences
        self._fleet = fleet
        self._weights = weights
        self._read_calibration = calibration
        self._now = now
        self._reports: dict[str, Abilities] = {}
        self._calibration = Calibration()
        self._read_at: float | None = None

    def __call__(self, request: VideoRequest, training: TrainingPlan | None = None) -> Estimate:
        """The request's estimate, with the training that comes before it. Raises RequestError if no slot of the fleet
        can run it, or its licence forbids it."""
        spec = catalog.get(request.model)
        refusal = catalog.licence_refusal(spec, self._acknowledged)
        if refusal is not None:
            raise RequestError(refusal.reason, param="model", code=refusal.code)
        verdict = self.verdict(spec, work_of(request))
        if verdict.runnable.runnable is False:
            message = f"This fleet cannot run it: {verdict.runnable.reason}"
            raise RequestError(message, param="model", code="not_runnable")
        predicted = self._predict(spec, work_of(request), verdict.option)
        return predicted if training is None else _with_training(predicted, spec, training, verdict.option)

    def quote(self, request: VideoRequest) -> tuple[Runnable, Estimate]:
        """The same, as an answer and not an error."""
        spec, work = catalog.get(request.model), work_of(request)
        verdict = self.verdict(spec, work)
        return verdict.runnable, self._predict(spec, work, verdict.option)

    def runnable(self, spec: ModelSpec) -> Runnable:
        """Whether the fleet can run the model at its defaults."""
        return self.typical(spec)[0]

    def typical(self, spec: ModelSpec) -> tuple[Runnable, Estimate]:
        """Whether the fleet can run the model at its defaults, and what that takes."""
        work = Work.default(spec)
        verdict = self.verdict(spec, work)
        return verdict.runnable, self._predict(spec, work, verdict.option)

    def verdict(self, spec: ModelSpec, work: Work) -> Verdict:
        """Looks at each kind of instance, those with known prices first."""
        kinds = sorted(self.instance_types, key=lambda kind: kind not in OFFERS)
        refusal = catalog.licence_refusal(spec, self._acknowledged)
        if refusal is not None:
            return Verdict(Runnable(False, refusal.reason), self._options(kinds[0])[0])
        reasons: dict[str, str | None] = {}
        unknown: Option | None = None
        for kind in kinds:
            found = self._on(kind, spec, work)
            if found.runnable.runnable:
                return found
            if found.runnable.runnable is None:
                unknown = unknown or found.option
            reasons[kind] = found.runnable.reason
        answer = Runnable(None if unknown else False, _told(reasons))
        return Verdict(answer, unknown or self._options(kinds[0])[0])

    def has_weights(self, spec: ModelSpec) -> bool:
        """Whether an instance has the model's weights, or may have: else it is no use to launch any.

        EC2's instances have what the bucket has. A machine of one's own may have more, and is asked."""
        if self._in_bucket(spec):
            return True
        reports = [self._report(kind) for kind in self.instance_types if kind not in OFFERS]
        return any(report is None or _says_yes(report, spec) for report in reports)

    def _in_bucket(self, spec: ModelSpec) -> bool:
        return spec.embedded or spec.id in self._weights()

    def _on(self, kind: str, spec: ModelSpec, work: Work) -> Verdict:
        options = self._options(kind)
        if kind in OFFERS and not self._in_bucket(spec):
            reason = f"its weights are not in the bucket; to bring them there: revalida weights pull {spec.id}"
            return Verdict(Runnable(False, reason), options[0])
        report = self._report(kind)
        if report is None and kind not in OFFERS:
            return Verdict(Runnable(None, "no instance has reported yet what it can run"), options[0])
        if report is not None:
            if not _says_yes(report, spec) and not self._lacked_weights_alone(report, spec):
                return Verdict(Runnable(False, _reason(report, spec)), options[0])
            if _slot_of(report) is None:
                # A GPU that the arithmetic does not know: the instance's word is all there is.
                return Verdict(Runnable(True, None), options[0])
        plans = [(option, placement.plan(spec, work, option.slot)) for option in options]
        for option, plan in plans:
            if not isinstance(plan, Refusal):
                return Verdict(Runnable(True, None), option)
        option, plan = plans[-1]
        return Verdict(Runnable(False, plan.message if isinstance(plan, Refusal) else None), option)

    def _lacked_weights_alone(self, report: Abilities, spec: ModelSpec) -> bool:
        """Whether the no is of a machine with GPUs that started before the weights were in the bucket."""
        slot = _slot_of(report)
        return spec.id in self._weights() and (slot is None or not slot.is_cpu)

    def _options(self, kind: str) -> list[Option]:
        """The kind's slots, smallest first: those its agents reported, or those that could be made of its GPUs."""
        offer = OFFERS.get(kind)
        report = self._report(kind)
        reported = None if report is None else _slot_of(report)
        if reported is not None:
            slots = [reported]
        elif offer is not None:
            slots = [offer.slot(gpus) for gpus in SLOT_GPUS if gpus <= offer.gpus]
        else:
            slots = [Slot.parse("CPU")]
        boot_s = None if report is None else report.boot_s
        if boot_s is None:
            boot_s = 0.0 if offer is None else BOOT_S
        return [Option(kind, slot, _price(offer, slot), boot_s) for slot in slots]

    def _report(self, kind: str) -> Abilities | None:
        self._refresh()
        return self._reports.get(kind)

    def _refresh(self) -> None:
        if self._read_at is None or self._now() - self._read_at > REPORTS_KEPT_S:
            self._reports = {report.kind: report for report in self._fleet.abilities()}
            self._calibration = self._read_calibration()
            self._read_at = self._now()

    def _predict(self, spec: ModelSpec, work: Work, option: Option) -> Estimate:
        """What the work takes on that slot, by the arithmetic and what finished jobs taught."""
        self._refresh()
        predicted = estimate.estimate(
            spec,
            work,
            option.slot,
            calibration=self._calibration,
            usd_per_hour=option.usd_per_hour,
            loaded=False,
        )
        return Estimate(
            slot=option.slot.name,
            seconds=predicted.compute_s,
            load_s=predicted.load_s,
            boot_s=option.boot_s,
            cost_usd=predicted.cost_usd,
        )


def _told(reasons: Mapping[str, str | None]) -> str:
    """By kind of instance; what is the same for several, once."""
    kinds: dict[str | None, list[str]] = {}
    for kind, reason in reasons.items():
        kinds.setdefault(reason, []).append(kind)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in kinds.items())


def _ability(report: Abilities, spec: ModelSpec) -> Ability | None:
    return next((each for each in report.abilities if each.model == spec.id), None)


def _says_yes(report: Abilities, spec: ModelSpec) -> bool:
    ability = _ability(report, spec)
    return ability is not None and ability.runnable


def _reason(report: Abilities, spec: ModelSpec) -> str:
    ability = _ability(report, spec)
    return "not offered" if ability is None or ability.reason is None else ability.reason


def _slot_of(report: Abilities) -> Slot | None:
    """The slot that the report names, if the estimate knows its kind, with the figures that were measured there."""
    try:
        slot = Slot.parse(report.slot)
    except ValueError:
        return None
    slot = slot.on(OFFERS.get(report.kind))
    found = report.measured
    return slot if found is None else slot.measured(matmul_tf_s=found.matmul_tf_s, load_gib_s=found.load_gib_s)


def _price(offer: Offer | None, slot: Slot) -> float | None:
    if offer is None or offer.spot_usd_per_hour is None:
        return None
    return offer.spot_usd_per_hour * slot.count / offer.gpus


def training_work(training: TrainingPlan) -> TrainingWork:
    """The training as the estimate's arithmetic sees it."""
    settings, size = training.settings, Size.parse(training.settings.size)
    return TrainingWork(
        width=size.width,
        height=size.height,
        num_frames=settings.clip_frames,
        steps=settings.steps,
        batch_size=settings.batch_size,
        rank=settings.rank,
        prior=settings.prior_weight > 0,
    )


def _with_training(predicted: Estimate, spec: ModelSpec, training: TrainingPlan, option: Option) -> Estimate:
    """Raises RequestError where the slot cannot hold the training."""
    work = training_work(training)
    plan = plan_training(spec, work, option.slot)
    if isinstance(plan, TrainingRefusal):
        param = "model" if plan.nearest_rank is None else "training.rank"
        raise RequestError(f"This fleet cannot train it: {plan.reason}", param=param, code="not_trainable")
    work = replace(work, checkpointing=plan.gradient_checkpointing)
    trained_s = training.settings.steps * training_step_s(spec, work, option.slot)
    usd = None if option.usd_per_hour is None else trained_s * option.usd_per_hour / 3600.0
    cost_usd = None if predicted.cost_usd is None or usd is None else predicted.cost_usd + usd
    return predicted.model_copy(update={"seconds": predicted.seconds + trained_s, "cost_usd": cost_usd})


def work_of(request: VideoRequest) -> Work:
    """The request as the estimate's arithmetic sees it."""
    return Work(
        width=request.width,
        height=request.height,
        num_frames=request.num_frames,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        has_image=request.has_image,
        shot_frames=_shot_frames(request),
    )


def _shot_frames(request: VideoRequest) -> tuple[int, ...]:
    """Frames of each shot; where none says its own, all share the video about evenly (models that make all at once)."""
    given = tuple(shot.num_frames for shot in request.shots if shot.num_frames is not None)
    if given or not request.shots:
        return given
    cuts = [round(index * request.num_frames / len(request.shots)) for index in range(len(request.shots) + 1)]
    return tuple(end - start for start, end in pairwise(cuts))
