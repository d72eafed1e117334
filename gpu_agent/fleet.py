"""What the agent tells of itself: identity at the start, and its instance record with every report."""

import httpx
from pydantic import BaseModel, ConfigDict

from gpu_agent.context import Context
from gpu_agent.imds import Imds
from gpu_agent.logs import logger
from gpu_agent.slot import Slot
from jobs.clock import now
from jobs.fleet import FleetStore, Instance

LOCAL = "local"  # the kind of a machine off EC2


class Identity(BaseModel):
    """Who this machine is. `kind` is its instance type, `local` off EC2."""

    model_config = ConfigDict(frozen=True)

    instance_id: str
    kind: str
    is_spot: bool
    zone: str | None = None


def identify(imds: Imds, given_id: str | None) -> Identity:
    """From the metadata service; where a deployment gives the id it is not on EC2, and `local`.

    Raises httpx.HTTPError if there is neither: an agent without a name could hold no lease.
    """
    if given_id is not None:
        return Identity(instance_id=given_id, kind=LOCAL, is_spot=_life_cycle(imds) == "spot")
    instance_id = imds.get("instance-id")
    if instance_id is None:
        raise httpx.HTTPError("the metadata service knows no instance id")
    return Identity(
        instance_id=instance_id,
        kind=imds.get("instance-type") or "unknown",
        is_spot=imds.get("instance-life-cycle") == "spot",
        zone=imds.get("placement/availability-zone"),
    )


def _life_cycle(imds: Imds) -> str | None:
    try:
        return imds.get("instance-life-cycle")
    except httpx.HTTPError as error:
        logger.info("no metadata service", extra={"error": repr(error)})
        return None


class FleetReport:
    """Registers the instance and says what its slots do."""

    def __init__(
        self,
        store: FleetStore,
        identity: Identity,
        context: Context,
        slots: tuple[Slot, ...],
        *,
        accelerators: tuple[str, ...],
    ) -> None:
        self._store = store
        self._identity = identity
        self._context = context
        self._slots = slots
        self._accelerators = accelerators
        self._started_at = now()

    def send(self) -> None:
        """One report; for a Loop."""
        busy = self._context.hands.count() > 0
        draining = self._context.board.posted or self._context.hands.cordoned
        self._store.register(
            Instance(
                id=self._identity.instance_id,
                kind=self._identity.kind,
                state="draining" if draining else "busy" if busy else "idle",
                started_at=self._started_at,
                seen_at=now(),
                spot=self._identity.is_spot,
                usd_per_hour=self._context.settings.usd_per_hour,
                accelerators=self._accelerators,
                # One out of service that has nothing in hand is no idle capacity, on which the planner would count.
                slots=tuple(slot.report() for slot in self._slots if not (slot.isolated and slot.idle)),
            )
        )

    def farewell(self) -> None:
        self._store.deregister(self._identity.instance_id)
