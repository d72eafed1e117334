"""From a notice to a drain: what stops new work, and what sets a deadline."""

from types import SimpleNamespace
from typing import Any

import pytest

from gpu_agent.context import NoticeBoard
from gpu_agent.held import Hands
from gpu_agent.imds import Notice, NoticeKind
from gpu_agent.interruption import InterruptionWatcher
from jobs.clock import now

DRAIN_S = 100.0


class Service:
    """Stands in for the metadata service's client: the notices that stand, one a look."""

    def __init__(self, *notices: Notice | None) -> None:
        self._notices = list(notices)

    def notice(self) -> Notice | None:
        return self._notices.pop(0)


def watched(*notices: Notice | None) -> SimpleNamespace:
    """What the agent's parts see after a look for each notice."""
    settings = SimpleNamespace(drain_s=DRAIN_S)
    context: Any = SimpleNamespace(hands=Hands(), board=NoticeBoard(), settings=settings)
    service: Any = Service(*notices)
    nobodys: Any = None  # the planner's orders have a loop, and tests, of their own
    watcher = InterruptionWatcher(service, context, nobodys)
    for _ in notices:
        watcher.turn()
    return SimpleNamespace(hands=context.hands, board=context.board)


def test_given_no_notice_then_work_goes_on() -> None:
    seen = watched(None)
    assert not seen.hands.cordoned
    assert not seen.board.posted


def test_given_a_rebalance_recommendation_then_no_new_work_is_taken_and_nothing_is_stopped() -> None:
    seen = watched(Notice(kind=NoticeKind.REBALANCE))
    assert seen.hands.cordoned
    assert not seen.board.posted


def test_given_a_spot_notice_then_its_time_is_the_deadline() -> None:
    seen = watched(Notice(kind=NoticeKind.REBALANCE), Notice(kind=NoticeKind.SPOT, at_s=now() + 120))
    assert seen.hands.cordoned
    assert seen.board.reason == "spot"
    assert seen.board.remaining_s() == pytest.approx(120, abs=30)


def test_given_the_groups_wish_to_terminate_then_the_drain_has_its_own_time() -> None:
    assert watched(Notice(kind=NoticeKind.LIFECYCLE)).board.remaining_s() == pytest.approx(DRAIN_S, abs=30)


def test_given_a_notice_that_stands_for_long_then_its_deadline_does_not_move() -> None:
    at_s = now() + 120
    seen = watched(*(Notice(kind=NoticeKind.SPOT, at_s=at_s + later) for later in (0, 500, 900)))
    assert seen.board.remaining_s() <= 120


def test_given_a_later_spot_notice_then_the_earlier_deadline_stands() -> None:
    seen = watched(Notice(kind=NoticeKind.LIFECYCLE), Notice(kind=NoticeKind.SPOT, at_s=now() + 10))
    assert seen.board.remaining_s() <= 10
