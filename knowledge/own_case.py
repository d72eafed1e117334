"""The document's questions asked of one's own case: what ``revalida costs`` answers, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from knowledge.cases import Case, NoFit, case, running_of
from knowledge.costs import Running, break_even_a_month, instances_needed, monthly_usd
from knowledge.data import Instance, Knowledge
from models import catalog


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person wants to know. None means the model's, or the document's, own."""

    instance: str
    price_usd_h: float | None = None
    on_demand: bool = False
    volume_a_month: int | None = None
    size: str | None = None
    seconds: float | None = None
    num_frames: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    shots: int = 1


@dataclass(frozen=True, kw_only=True)
class ServiceAgainst:
    """One service against the case: what the same video costs there, US$, and from which monthly volume home wins."""

    service: str
    name: str
    resolution: str
    active: bool
    usd_there: float
    break_even_videos_month: float | None


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A month of a given volume: instances that run all month, their vCPUs, hours and US$."""

    videos_month: int
    instances: int
    vcpus: int
    instance_hours: float
    usd_month: float
    usd_a_video: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    case: Case
    fixed_usd_month: float
    volume: Volume | None
    services: tuple[ServiceAgainst, ...]

    def as_dict(self) -> Mapping[str, Any]:
        """Nested plain data, for JSON."""
        return asdict(self)


def ask(known: Knowledge, model_id: str, question: Question) -> Answer | NoFit:
    """Answer for one model.

    Raises models.catalog.UnknownModel, models.catalog.SpecViolation (a size, length or step count the model does not
    take), knowledge.data.UnknownEntry (an instance the data do not have) and ValueError (a size that cannot be read).
    """
    instance = known.instance(question.instance)
    running = running_of(known.assumptions)
    found = case(
        model_id,
        instance,
        running,
        size=question.size,
        num_frames=_frames(model_id, question),
        steps=question.steps,
        guidance=question.guidance_scale,
        shots=question.shots,
        price_usd_h=_price(instance, question),
    )
    if isinstance(found, NoFit):
        return found
    return Answer(
        case=found,
        fixed_usd_month=running.fixed_usd_month,
        volume=None if question.volume_a_month is None else _volume(found, instance, running, question.volume_a_month),
        services=tuple(_against(known, found, running)),
    )


def all_models(known: Knowledge, question: Question) -> list[Answer | NoFit]:
    """Answers for every published model of the catalog at its own defaults."""
    return [ask(known, spec.id, question) for spec in catalog.all_models() if not spec.embedded]


def _frames(model_id: str, question: Question) -> int | None:
    if question.seconds is None:
        return question.num_frames
    return catalog.frames_for_seconds(catalog.get(model_id), question.seconds)


def _price(instance: Instance, question: Question) -> float | None:
    if question.price_usd_h is None and question.on_demand:
        return instance.on_demand_usd_h.value
    return question.price_usd_h


def _volume(found: Case, instance: Instance, running: Running, videos: int) -> Volume:
    count = instances_needed(videos, found.cost.videos_h, running.hours_a_month)
    total = monthly_usd(videos, found.cost.usd, running.fixed_usd_month)
    return Volume(
        videos_month=videos,
        instances=count,
        vcpus=int(count * instance.vcpus.value),
        instance_hours=videos / found.cost.videos_h,
        usd_month=total,
        usd_a_video=total / videos,
    )


def _against(known: Knowledge, found: Case, running: Running) -> list[ServiceAgainst]:
    return [
        ServiceAgainst(
            service=service.id,
            name=service.name,
            resolution=service.resolution,
            active=service.active,
            usd_there=service.usd_a_second() * found.video_s,
            break_even_videos_month=break_even_a_month(
                service_usd=service.usd_a_second() * found.video_s,
                own_usd=found.cost.usd,
                fixed_usd_month=running.fixed_usd_month,
            ),
        )
        for service in known.services
    ]
