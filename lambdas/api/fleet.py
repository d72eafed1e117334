"""`/v1/fleet`: what works now, and what waits."""

from collections import Counter
from collections.abc import Iterable, Mapping

from aws_lambda_powertools.event_handler import Response

from jobs import clock
from jobs.eta import work_left_s
from jobs.fleet import Instance
from jobs.fleet_history import MAX_POINTS, FleetHistory, thinned
from jobs.fleet_plan import PlanStore
from jobs.job import Job
from jobs.settings import settings
from jobs.states import State
from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import HttpEvent, answer
from lambdas.api.query import history_hours
from lambdas.api.views import FleetHistoryView, FleetView, InstanceView, SlotView


def fleet(event: HttpEvent) -> Response[str]:
    """Instances, slots, loaded models, backlog, the planner's decision and the month's spend."""
    owner = owner_of(event)
    plan = PlanStore(settings().table).get()
    queued = list(services.store().in_state(State.QUEUED))
    running = list(services.store().in_state(State.IN_PROGRESS))
    owners = {job.id: job.owner for job in running}
    view = FleetView(
        instances=[_shown(instance, owners, owner) for instance in services.fleet().instances()],
        queued=_by_model(queued),
        running=_by_model(running),
        backlog_seconds=_backlog_s(queued),
        plan=plan.shown() if plan else None,
    )
    return answer(view.model_dump(mode="json"))


def history(event: HttpEvent) -> Response[str]:
    """Queue, slots and spend over the last hours."""
    owner_of(event)
    hours = history_hours(event.query_string_parameters)
    samples = FleetHistory(settings().table).since(clock.now() - hours * 3600)
    return answer(FleetHistoryView(data=thinned(samples, MAX_POINTS)).model_dump(mode="json"))


def _shown(instance: Instance, owners: Mapping[str, str], owner: str) -> InstanceView:
    """The instance, without the ids of other owners' jobs. It tells of a job until its next heartbeat: one that
    runs no more, by `owners`, keeps no slot busy."""
    slots = [
        SlotView(
            name=slot.name,
            loaded_model=slot.loaded_model,
            job_id=slot.job_id if owners.get(slot.job_id or "") == owner else None,
            busy=slot.job_id in owners,
        )
        for slot in instance.slots
    ]
    return InstanceView.model_validate({**instance.model_dump(), "slots": slots})


def _by_model(jobs: Iterable[Job]) -> dict[str, int]:
    return dict(Counter(job.model for job in jobs))


def _backlog_s(queued: Iterable[Job]) -> dict[str, float]:
    found: dict[str, float] = {}
    for job in queued:
        found[job.model] = round(found.get(job.model, 0.0) + work_left_s(job), 3)
    return found
