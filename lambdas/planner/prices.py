"""What Spot costs now, by instance type: AWS's price history, asked at most every ten minutes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from jobs import aws
from jobs.fleet_plan import SpotPrices

PRICES_LAST_S = 600.0
logger = Logger(child=True)


def spot_prices(known: SpotPrices | None, types: Iterable[str], *, now_s: float) -> SpotPrices | None:
    """Each type's price in its dearest zone, for the group may launch in any. What is known serves where AWS does not
    answer; None where nothing is known, and on-demand prices have to stand in."""
    asked = sorted(types)
    if not asked or (known is not None and now_s - known.at < PRICES_LAST_S):
        return known
    from botocore.exceptions import BotoCoreError, ClientError  # heavy: only where AWS is asked

    try:
        answer = aws.ec2().describe_spot_price_history(
            InstanceTypes=asked,
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.fromtimestamp(now_s, UTC),
        )
    except (BotoCoreError, ClientError) as error:
        logger.warning("no Spot prices", extra={"error": repr(error)})
        return known
    prices = dearest_zone(answer["SpotPriceHistory"])
    return SpotPrices(at=now_s, usd_per_hour=prices) if prices else known


def dearest_zone(history: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Per type the highest of its zones' current prices, of entries as DescribeSpotPriceHistory gives them."""
    latest: dict[tuple[str, str], tuple[datetime, float]] = {}
    for entry in history:
        key = entry["InstanceType"], entry["AvailabilityZone"]
        if key not in latest or entry["Timestamp"] > latest[key][0]:
            latest[key] = entry["Timestamp"], float(entry["SpotPrice"])
    by_type: dict[str, float] = defaultdict(float)
    for (kind, _), (_, price) in latest.items():
        by_type[kind] = max(by_type[kind], price)
    return dict(by_type)
