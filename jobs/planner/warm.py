"""Scheduled warm minimum: instances that stand ready at the hours when people work."""

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, model_validator


class WarmWindow(BaseModel):
    """At least `instances` on `days` (0 is Monday) from `from_hour` up to, not including, `to_hour`, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    from_hour: int = Field(ge=0, le=23)
    to_hour: int = Field(ge=1, le=24)
    instances: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_a_window(self) -> "WarmWindow":
        if self.to_hour <= self.from_hour or not set(self.days) <= set(range(7)):
            raise ValueError("a warm window is within one day (to_hour after from_hour), its days are 0 to 6")
        return self


def warm_minimum(windows: Iterable[WarmWindow], now_s: float) -> int:
    """The largest minimum of the windows that hold at `now_s` (unix seconds)."""
    now = datetime.fromtimestamp(now_s, UTC)
    holding = [one for one in windows if now.weekday() in one.days and one.from_hour <= now.hour < one.to_hour]
    return max((one.instances for one in holding), default=0)
