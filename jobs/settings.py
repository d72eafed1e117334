"""Settings from the environment, checked at start. A missing one is an error, not a default."""

from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every part of the system is told by its deployment (`REVALIDA_TABLE`, `REVALIDA_MEDIA_BUCKET`, ...)."""

    model_config = SettingsConfigDict(env_prefix="REVALIDA_", frozen=True)

    stage: str
    table: str
    media_bucket: str
    event_bus: str
    queue_prefix: str
    asg_name: str
    instance_types: tuple[str, ...]  # JSON: what the fleet may consist of
    default_model: str  # of requests that name none
    # JSON: ids of models whose licence forbids commercial use, and which the operator answers for. None by default.
    acknowledged_licences: tuple[str, ...] = ()
    # JSON, CIDR: where a webhook may lead although it is not the public internet. None, unless the operator says so.
    trusted_networks: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once. Raises pydantic.ValidationError naming each missing variable."""
    return Settings()
