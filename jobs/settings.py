"""Settings from the environment, checked at start. A missing one is an error, not a default."""

import os
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Json


def _variable(field: str) -> str:
    return f"REVALIDA_{field.upper()}"


class Settings(BaseModel):
    """What every part of the system is told by its deployment (`REVALIDA_TABLE`, `REVALIDA_MEDIA_BUCKET`, ...).

    A plain model: importing pydantic-settings takes as long as a sixth of the API function's whole cold start."""

    model_config = ConfigDict(frozen=True, alias_generator=_variable)

    stage: str
    table: str
    media_bucket: str
    event_bus: str
    queue_prefix: str
    asg_name: str
    instance_types: Json[tuple[str, ...]]  # what the fleet may consist of
    default_model: str  # of requests that name none
    # Ids of models whose licence forbids commercial use, and which the operator answers for. None by default.
    acknowledged_licences: Json[tuple[str, ...]] = ()
    # CIDR: where a webhook may lead although it is not the public internet. None, unless the operator says so.
    trusted_networks: Json[tuple[str, ...]] = ()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once. Raises pydantic.ValidationError naming each missing variable."""
    return Settings.model_validate(os.environ)
