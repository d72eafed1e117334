"""All that a run of the planner decides from, read once."""

from typing import NamedTuple

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from jobs.fleet import Instance
from jobs.fleet_plan import PlanRecord, SpotPrices
from jobs.job import Job
from jobs.settings import settings
from jobs.states import State
from lambdas import services
from lambdas.planner import groups
from lambdas.planner.config import PlannerSettings
from lambdas.planner.groups import Group
from lambdas.planner.prices import spot_prices
from models import catalog

logger = Logger()


class Look(NamedTuple):
    """The groups, the agents, the jobs that wait and run, and what the last run has left.

    `queued` are those of the waiting jobs that an instance could run; `stranded` the others, for whose model there are
    no weights: an instance launched for them would idle, leave, and be launched again."""

    own: PlannerSettings
    now_s: float
    last: PlanRecord | None
    spot: Group
    on_demand: Group
    prices: SpotPrices | None
    fleet: list[Instance]
    queued: list[Job]
    stranded: list[Job]
    running: list[Job]

    @property
    def waiting(self) -> list[Job]:
        return [*self.queued, *self.stranded]


def look(last: PlanRecord | None, *, now_s: float) -> Look:
    """Raises LookupError where the deployment names a group that is not there."""
    own = PlannerSettings()
    waiting = list(services.store().in_state(State.QUEUED))
    offered = {model for model in {job.model for job in waiting} if _has_weights(model)}
    return Look(
        own=own,
        now_s=now_s,
        last=last,
        spot=groups.read(settings().asg_name),
        on_demand=groups.read(own.on_demand_asg_name),
        prices=spot_prices(last.prices if last else None, own.priced_types, now_s=now_s),
        fleet=services.fleet().instances(),
        queued=[job for job in waiting if job.model in offered],
        stranded=[job for job in waiting if job.model not in offered],
        running=list(services.store().in_state(State.IN_PROGRESS)),
    )


def _has_weights(model: str) -> bool:
    """Nothing has those of a model that this release does not know any more. Where the bucket does not say, they are
    taken to be there: an instance that idles for minutes is cheaper than a fleet that stands still."""
    try:
        return services.admission().has_weights(catalog.get(model))
    except catalog.UnknownModel:
        return False
    except (BotoCoreError, ClientError) as error:
        logger.warning("weights not listed", extra={"error": repr(error)})
        return True
