"""Leaving: not in the middle of a look for work, and not against the group's will."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gpu_agent.context import NoticeBoard
from gpu_agent.departure import LOOK_S, Departure
from gpu_agent.held import Hands
from gpu_agent.imds import Notice, NoticeKind
from gpu_agent.interruption import InterruptionWatcher

MOVE_S = 1800.0


class Group:
    """Stands in for the Auto Scaling group: lets instances go, or refuses to shrink."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.gone: list[str] = []
        self.replaced: list[str] = []

    def terminate_instance_in_auto_scaling_group(
        self, *, InstanceId: str, ShouldDecrementDesiredCapacity: bool
    ) -> None:
        self.asked += 1
        self.meanwhile()
        if not ShouldDecrementDesiredCapacity:
            self.replaced.append(InstanceId)
            return
        if self.refuses:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "at its minimum"}}, "Terminate")
        self.gone.append(InstanceId)


class Scene:
    """A departure over real hands, a real board and a real watcher that is told to have the instance
    leave; idle at once, or by `idle_limit_s`."""

    def __init__(self, group: Group, *, idle_limit_s: float = 0.0) -> None:
        self.hands, self.board, self.group = Hands(), NoticeBoard(), group
        self.left = False
        settings = SimpleNamespace(idle_limit_s=idle_limit_s, move_s=MOVE_S, drain_s=2 * MOVE_S)
        context: Any = SimpleNamespace(hands=self.hands, board=self.board, instance_id="i-1", settings=settings)
        self.slot = SimpleNamespace(isolated=False, starting=False)
        slots: Any = (self.slot,)
        client: Any = group
        self.departure = Departure(context, slots, client, leave=self._leave)
        nobody: Any = None
        orders: Any = SimpleNamespace(retires=lambda instance_id: True)
        self.watcher = InterruptionWatcher(nobody, context, orders)

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
    scene.watcher.obey()
    scene.departure.turn()
    assert not scene.left
    scene.hands.drop_reservation()

    scene.departure.turn()

    assert scene.left
    assert scene.group.gone == ["i-1"]


def test_given_the_order_to_leave_and_a_group_that_refuses_then_the_instance_takes_work_again() -> None:
    scene = Scene(Group(refuses=True))
    scene.watcher.obey()

    scene.departure.turn()

    assert not scene.board.posted
    assert scene.hands.begin_looking()


@pytest.mark.parametrize("kind", [NoticeKind.SPOT, NoticeKind.LIFECYCLE, NoticeKind.SIGNAL])
def test_given_another_notice_while_the_group_refuses_a_move_then_that_one_stands(kind: NoticeKind) -> None:
    """It comes once: nobody would tell of it again. Its own time may be longer than what the move had left."""
    scene = Scene(Group(refuses=True))
    scene.watcher.obey()
    scene.group.meanwhile = lambda: scene.watcher.act(Notice(kind=kind))

    scene.departure.turn()

    assert scene.board.reason == kind
    assert not scene.hands.begin_looking()


def test_given_a_rebalance_recommendation_when_the_group_refuses_a_move_then_no_new_work_is_taken() -> None:
    scene = Scene(Group(refuses=True))
    scene.watcher.act(Notice(kind=NoticeKind.REBALANCE))
    scene.watcher.obey()

    scene.departure.turn()

    assert not scene.board.posted
    assert not scene.hands.begin_looking()


def test_given_a_rebalance_recommendation_while_a_slot_looks_its_last_then_what_it_finds_is_the_last(
    scene: Scene,
) -> None:
    scene.hands.begin_looking()
    scene.departure.turn()
    scene.watcher.act(Notice(kind=NoticeKind.REBALANCE))
    scene.hands.end_looking(found=True)

    scene.departure.turn()

    assert not scene.hands.begin_looking()


def test_given_an_order_to_leave_while_a_slot_looks_its_last_when_it_is_refused_then_work_is_taken_again() -> None:
    scene = Scene(Group(refuses=True))
    scene.hands.begin_looking()
    scene.departure.turn()
    scene.watcher.obey()
    scene.hands.end_looking(found=False)

    scene.departure.turn()

    assert scene.hands.begin_looking()


def test_given_a_refused_move_then_the_order_counts_again_after_the_time_of_a_move_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(Group(refuses=True))
    scene.watcher.obey()
    scene.departure.turn()
    began_s = time.monotonic()

    scene.watcher.obey()
    assert not scene.board.posted

    monkeypatch.setattr(time, "monotonic", lambda: began_s + MOVE_S + 1.0)
    scene.watcher.obey()
    assert scene.board.reason == NoticeKind.MOVE
    assert not scene.hands.begin_looking()
    monkeypatch.setattr(time, "monotonic", lambda: began_s + MOVE_S + 601.0)
    scene.watcher.obey()
    assert scene.board.remaining_s() == pytest.approx(MOVE_S - 600.0), "the one that stands is not put off"


def test_given_a_group_that_refused_then_it_is_asked_again_after_a_while_and_at_once_for_an_order_to_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(Group(refuses=True), idle_limit_s=300.0)
    began_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began_s + 301.0)
    assert scene.departure.turn() is None, "the loop looks again as ever"
    scene.departure.turn()
    assert scene.group.asked == 1

    monkeypatch.setattr(time, "monotonic", lambda: began_s + 602.0)
    scene.departure.turn()
    assert scene.group.asked == 2

    scene.watcher.obey()
    scene.departure.turn()
    assert scene.group.asked == 3
