"""What the settings in cdk.json ask of the account."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _InstanceType(_Read):
    name: str
    vcpus: int


class _OnDemand(_Read):
    max_instances: int
    types: tuple[str, ...]


class _Fleet(_Read):
    instance_types: tuple[_InstanceType, ...] = Field(min_length=1)
    max_instances: int
    on_demand: _OnDemand


class Wanted(_Read):
    """The part of the settings that the account must be able to bear."""

    stack_name: str
    prefix: str
    region: str
    default_model: str
    fleet: _Fleet

    @property
    def spot_vcpus(self) -> int:
        """vCPUs of the whole fleet at its largest type."""
        return self.fleet.max_instances * max(kind.vcpus for kind in self.fleet.instance_types)

    @property
    def on_demand_vcpus(self) -> int:
        """vCPUs of the on-demand group at its largest type."""
        vcpus = [kind.vcpus for kind in self.fleet.instance_types if kind.name in self.fleet.on_demand.types]
        return self.fleet.on_demand.max_instances * max(vcpus, default=0)


def read(cdk_json: Path) -> Wanted:
    """The production settings. Raises OSError, or ValueError for a file that is none."""
    return Wanted.model_validate(json.loads(cdk_json.read_text(encoding="utf-8"))["context"]["settings"])
