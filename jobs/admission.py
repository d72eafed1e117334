"""Can the fleet run this request, and what would it take? Asked at the door, by quotes and by `GET /v1/models`."""

from collections.abc import Callable
from typing import NamedTuple

from jobs import clock
from jobs.errors import RequestError
from jobs.fleet import Abilities, FleetStore
from jobs.job import Estimate
from jobs.request import VideoRequest
from models import catalog, estimate
from models.catalog import ModelSpec
from models.estimate import BOOT_S, OFFERS, Offer, Slot, Work

REPORTS_KEPT_S = 30.0


class Runnable(NamedTuple):
    """Whether the fleet can run a model: None while no instance of a kind that could has reported."""

    runnable: bool | None
    reason: str | None


class Option(NamedTuple):
    """A slot that a request could run on; the price is the slot's share of the instance, US$ an hour."""

    instance_type: str
    slot: Slot
    usd_per_hour: float | None
    boot_s: float


class Admission:
    """Decides by what the fleet's instances reported of themselves, and before any has, by their published shapes."""

    def __init__(
        self, *, fleet: FleetStore, instance_types: tuple[str, ...], now: Callable[[], float] = clock.now
    ) -> None:
        self.instance_types = instance_types
        self._fleet = fleet
        self._now = now
        self._reports: dict[str, Abilities] = {}
        self._read_at: float | None = None

    def __call__(self, request: VideoRequest) -> Estimate:
        """The request's estimate. Raises RequestError if no slot of the fleet can run it."""
        verdict = self.feasible(request)
        if verdict.runnable is False:
            message = f"This fleet cannot run {request.model}: {verdict.reason}"
            raise RequestError(message, param="model", code="model_not_runnable")
        return self.estimate(request)

    def feasible(self, request: VideoRequest) -> Runnable:
        """Whether some slot of the fleet can run the request, and if none can, why not."""
        return self.runnable(catalog.get(request.model))

    def estimate(self, request: VideoRequest) -> Estimate:
        """Seconds and US$ on the first slot that the fleet offers."""
        option = self.options()[0]
        spec = catalog.get(request.model)
        predicted = estimate.estimate(
            spec, work_of(request), option.slot, usd_per_hour=option.usd_per_hour, loaded=False
        )
        return Estimate(
            slot=option.slot.name,
            seconds=predicted.compute_s,
            load_s=predicted.load_s,
            boot_s=option.boot_s,
            cost_usd=predicted.cost_usd,
        )

    def runnable(self, spec: ModelSpec) -> Runnable:
        """Whether some kind of instance can run the model, and if none can, why not."""
        reasons: list[str] = []
        for kind in self.instance_types:
            report = self._report(kind)
            if report is None:
                return Runnable(None, "no instance has reported yet what it can run")
            ability = next((each for each in report.abilities if each.model == spec.id), None)
            if ability is not None and ability.runnable:
                return Runnable(True, None)
            reason = None if ability is None else ability.reason
            reasons.append(f"{kind}: {reason or 'not offered'}")
        return Runnable(False, "; ".join(reasons))

    def options(self) -> list[Option]:
        """The slots of the fleet, one for each kind of instance, those with known prices first."""
        found = [self._option(kind) for kind in self.instance_types]
        return sorted(found, key=lambda option: option.usd_per_hour is None)

    def _option(self, kind: str) -> Option:
        offer = OFFERS.get(kind)
        report = self._report(kind)
        slot = _published_slot(offer) if report is None else Slot.parse(report.slot)
        usd = None if offer is None else offer.spot_usd_per_hour
        price = None if offer is None or usd is None else usd * slot.count / offer.gpus
        boot_s = None if report is None else report.boot_s
        if boot_s is None:
            boot_s = 0.0 if offer is None else BOOT_S
        return Option(kind, slot, price, boot_s)

    def _report(self, kind: str) -> Abilities | None:
        if self._read_at is None or self._now() - self._read_at > REPORTS_KEPT_S:
            self._reports = {report.kind: report for report in self._fleet.abilities()}
            self._read_at = self._now()
        return self._reports.get(kind)


def _published_slot(offer: Offer | None) -> Slot:
    return Slot.parse("CPU") if offer is None else offer.slot(1)


def work_of(request: VideoRequest) -> Work:
    """The request as the estimate's arithmetic sees it."""
    lengths = tuple(shot.num_frames for shot in request.shots if shot.num_frames is not None)
    return Work(
        width=request.width,
        height=request.height,
        num_frames=request.num_frames,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        has_image=request.image is not None,
        shot_frames=lengths,
    )
