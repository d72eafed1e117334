"""The base of the catalog's records."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Immutable data; no unknown field passes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
