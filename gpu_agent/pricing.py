"""What this instance costs by the hour: told by the deployment, or asked of AWS at the start."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from gpu_agent.clients import ec2
from gpu_agent.fleet import Identity
from gpu_agent.logs import logger
from gpu_agent.settings import AgentSettings

PLATFORM = "Linux/UNIX"


def usd_per_hour(settings: AgentSettings, identity: Identity) -> float | None:
    """Of the whole instance; None where nobody knows, and then no cost is told rather than a wrong one.

    `settings.usd_per_hour` goes first (0 on a machine that nobody bills). A Spot instance asks for the current price
    of its type in its zone, any other is told by the deployment what its type costs.
    """
    if settings.usd_per_hour is not None:
        return settings.usd_per_hour
    if not identity.is_spot:
        return settings.instance_usd_per_hour.get(identity.kind)
    try:
        answer = ec2().describe_spot_price_history(
            InstanceTypes=[identity.kind],
            ProductDescriptions=[PLATFORM],
            StartTime=datetime.now(UTC),
            **({"AvailabilityZone": identity.zone} if identity.zone else {}),
        )
    except (BotoCoreError, ClientError) as error:
        logger.warning("no Spot price", extra={"error": repr(error)})
        return None
    return latest(answer["SpotPriceHistory"])


def latest(history: Iterable[Mapping[str, Any]]) -> float | None:
    """The newest price of entries as DescribeSpotPriceHistory gives them; None of none."""
    newest = max(history, key=lambda entry: entry["Timestamp"], default=None)
    return None if newest is None else float(newest["SpotPrice"])
