"""`/v1/fleet`: what works now, and what waits."""

from collections import Counter

from aws_lambda_powertools.event_handler import Response

from jobs.fleet_plan import PlanStore
from jobs.settings import settings
from jobs.states import State
from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import answer
from lambdas.api.routing import new_router
from lambdas.api.views import FleetView

router = new_router()


@router.get("/v1/fleet")
def fleet() -> Response[str]:
    """Instances, slots, loaded models, backlog, the planner's decision and the month's spend."""
    owner_of(router.current_event)
    plan = PlanStore(settings().table).get()
    view = FleetView(
        instances=services.fleet().instances(),
        queued=_by_model(State.QUEUED),
        running=_by_model(State.IN_PROGRESS),
        plan=plan.shown() if plan else None,
    )
    return answer(view.model_dump(mode="json"))


def _by_model(state: State) -> dict[str, int]:
    return dict(Counter(job.model for job in services.store().in_state(state)))
