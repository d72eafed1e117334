"""What the agent tells the planner of its slots."""

from types import SimpleNamespace
from typing import Any

from gpu_agent.context import NoticeBoard
from gpu_agent.fleet import FleetReport, Identity
from gpu_agent.held import Hands
from jobs.fleet import Instance
from jobs.fleet import Slot as SlotReport


class Fleet:
    """Stands in for the table: remembers the last report."""

    def register(self, instance: Instance) -> None:
        self.last = instance


def slot(name: str, *, isolated: bool, idle: bool = True) -> Any:
    return SimpleNamespace(isolated=isolated, idle=idle, report=lambda: SlotReport(name=name))


def test_given_a_slot_out_of_service_then_the_planner_does_not_take_it_for_an_idle_one() -> None:
    fleet: Any = Fleet()
    context: Any = SimpleNamespace(hands=Hands(), board=NoticeBoard(), settings=SimpleNamespace(usd_per_hour=1.7))
    slots = (slot("0", isolated=True), slot("1", isolated=False), slot("2", isolated=True, idle=False))
    identity = Identity(instance_id="i-1", kind="g5.12xlarge", is_spot=True)

    FleetReport(fleet, identity, context, slots, accelerators=()).send()

    assert [one.name for one in fleet.last.slots] == ["1", "2"]
