"""Leaving: not in the middle of a look for work, and not against the group's will."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gpu_agent.context import NoticeBoard
from gpu_agent.departure import LOOK_S, Departure
from gpu_agent.held import Hands
from gpu_agent.imds import Notice, NoticeKind


class Group:
    """Stands in for the Auto Scaling group: lets instances go, or refuses to shrink."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.gone: list[str] = []
        self.replaced: list[str] = []

    def terminate_instance_in_auto_scaling_group(
        self, *, InstanceId: str, ShouldDecrementDesiredCapacity: bool
    ) -> None:
        if not ShouldDecrementDesiredCapacity:
            self.replaced.append(InstanceId)
            return
        if self.refuses:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "at its minimum"}}, "Terminate")
        self.gone.append(InstanceId)


class Scene:
    """A departure over real hands and a real board; idle at once."""

    def __init__(self, group: Group) -> None:
        self.hands, self.board, self.group = Hands(), NoticeBoard(), group
        self.left = False
        context: Any = SimpleNamespace(
            hands=self.hands, board=self.board, instance_id="i-1", settings=SimpleNamespace(idle_limit_s=0.0)
        )
        self.slot = SimpleNamespace(isolated=False, starting=False)
        slots: Any = (self.slot,)
        client: Any = group
        self.departure = Departure(context, slots, client, leave=self._leave)

    def _leave(self) -> None:
        self.left = True


@pytest.fixture
def scene() -> Scene:
    return Scene(Group())


def test_given_a_slot_that_looks_for_work_then_the_cordon_stays_until_it_has_looked(scene: Scene) -> None:
    """Slots look nearly all the time: an instance that waited for a gap between two looks would idle for minutes."""
    assert scene.hands.begin_looking()

    assert scene.departure.turn() == LOOK_S
    assert not scene.hands.begin_looking()
    scene.hands.end_looking(found=False)
    scene.departure.turn()

    assert scene.left
    assert scene.group.gone == ["i-1"]


def test_given_a_look_that_finds_work_then_the_instance_stays_and_takes_more(scene: Scene) -> None:
    scene.hands.begin_looking()
    scene.departure.turn()
    scene.hands.end_looking(found=True)

    scene.departure.turn()

    assert not scene.left
    assert scene.hands.begin_looking()


def test_given_a_worker_that_starts_then_the_idle_time_counts_from_its_readiness(scene: Scene) -> None:
    """Torch takes its time to start: an instance must not leave before it could have taken any work."""
    scene.slot.starting = True
    scene.hands._idle_since_s -= 100.0

    scene.departure.turn()

    assert scene.hands.idle_s() < 100.0


def test_given_a_group_at_its_minimum_then_the_instance_works_on() -> None:
    scene = Scene(Group(refuses=True))

    scene.departure.turn()

    assert not scene.left
    assert scene.group.replaced == []
    assert scene.hands.begin_looking()


def test_given_no_slot_in_service_and_a_group_at_its_minimum_then_the_instance_is_replaced() -> None:
    scene = Scene(Group(refuses=True))
    scene.slot.isolated = True

    scene.departure.turn()

    assert scene.left
    assert (scene.group.gone, scene.group.replaced) == ([], ["i-1"])


def test_given_the_order_to_leave_then_the_instance_goes_once_its_hands_are_empty(scene: Scene) -> None:
    scene.hands.begin_looking()
    scene.hands.end_looking(found=True)
    scene.hands.cordon()
    scene.board.post(Notice(kind=NoticeKind.MOVE), in_s=1800.0)
    scene.departure.turn()
    assert not scene.left
    scene.hands.drop_reservation()

    scene.departure.turn()

    assert scene.left
    assert scene.group.gone == ["i-1"]


def test_given_the_order_to_leave_and_a_group_that_refuses_then_the_instance_takes_work_again() -> None:
    scene = Scene(Group(refuses=True))
    scene.hands.cordon()
    scene.board.post(Notice(kind=NoticeKind.MOVE), in_s=1800.0)

    scene.departure.turn()

    assert not scene.board.posted
    assert scene.hands.begin_looking()
