"""The planner's own variables, and the limits they make."""

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.planner import GroupLimits, Limits, WarmWindow
from models.estimate import BOOT_S


class PlannerSettings(BaseSettings):
    """What the deployment tells the planner alone.

    `on_demand_asg_name` is empty where there is no second group. `instance_usd_per_hour` has each instance type's
    on-demand price: no Spot price is ever above it. `move_least_s` 0 moves no job."""

    model_config = SettingsConfigDict(env_prefix="REVALIDA_", frozen=True)

    target_backlog_s: float
    latency_target_s: float
    slots_per_instance: int
    max_instances: int
    max_usd_per_hour: float
    max_usd_per_month: float
    vcpus_per_instance: int
    spot_vcpu_quota: int
    on_demand_asg_name: str
    on_demand_vcpu_quota: int
    on_demand_types: tuple[str, ...]
    instance_usd_per_hour: dict[str, float]
    starve_after_s: float
    retry_spot_after_s: float
    launch_reserve_s: float
    move_least_s: float
    warm_windows: Annotated[tuple[WarmWindow, ...], Field(default=())]

    @property
    def priced_types(self) -> tuple[str, ...]:
        """The types that cost anything: the local fleet is free, and has no prices to ask for."""
        return tuple(kind for kind, usd in self.instance_usd_per_hour.items() if usd > 0)


def limits(own: PlannerSettings, *, spot_max: int, on_demand_max: int, spot_prices: Mapping[str, float]) -> Limits:
    """The planner's limits; `spot_max` and `on_demand_max` are the groups' own maximum sizes.

    An instance yet to be launched is counted with the dearest type it may turn out to be."""
    known = {kind: spot_prices.get(kind, price) for kind, price in own.instance_usd_per_hour.items()}
    return Limits(
        spot=GroupLimits(
            max_instances=spot_max,
            vcpu_quota=own.spot_vcpu_quota,
            usd_per_hour=max(known.values(), default=0.0),
        ),
        on_demand=GroupLimits(
            max_instances=on_demand_max,
            vcpu_quota=own.on_demand_vcpu_quota,
            usd_per_hour=max((own.instance_usd_per_hour[kind] for kind in own.on_demand_types), default=0.0),
        ),
        max_instances=own.max_instances,
        vcpus_per_instance=own.vcpus_per_instance,
        slots_per_instance=own.slots_per_instance,
        target_backlog_s=own.target_backlog_s,
        boot_s=BOOT_S,
        latency_target_s=own.latency_target_s,
        max_usd_per_hour=own.max_usd_per_hour,
        max_usd_per_month=own.max_usd_per_month,
        starve_after_s=own.starve_after_s,
        retry_spot_after_s=own.retry_spot_after_s,
        launch_reserve_s=own.launch_reserve_s,
        move_least_s=own.move_least_s or math.inf,
    )
