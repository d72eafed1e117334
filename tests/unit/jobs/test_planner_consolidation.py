"""Drawing the fleet together: whose jobs move, and when nobody's do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.planner import Backlog, GroupLimits, GroupState, Limits, Member, Situation, plan

HOUR_S = 3600.0
LIMITS = Limits(
    spot=GroupLimits(max_instances=9, vcpu_quota=9 * 48),
    on_demand=GroupLimits(max_instances=9, vcpu_quota=9 * 48),
    max_instances=9,
    vcpus_per_instance=48,
    slots_per_instance=4,
    target_backlog_s=900.0,
    boot_s=180.0,
)


def member(name: str, *busy_s: float, kind: str = "g5.12xlarge") -> Member:
    return Member(id=name, kind=kind, busy_s=busy_s, idle_slots=4 - len(busy_s))


def at(*members: Member, **changes: object) -> Situation:
    group = GroupState(desired=len(members), instances=len(members), members=members)
    return replace(Situation(now_s=0.0, spot=group), **changes)  # type: ignore[arg-type]


def test_given_two_instances_with_a_long_job_each_then_the_one_with_less_left_hands_over() -> None:
    assert plan(at(member("a", HOUR_S), member("b", 2 * HOUR_S)), LIMITS).retire == "a"


def test_given_three_with_few_jobs_then_the_one_with_the_fewest() -> None:
    assert plan(at(member("a", *[HOUR_S] * 2), member("b", HOUR_S), member("c", *[HOUR_S] * 3)), LIMITS).retire == "b"


@pytest.mark.parametrize(
    "situation",
    [
        at(member("a", HOUR_S), member("b", *[HOUR_S] * 4)),  # no slot idles elsewhere
        at(member("a", HOUR_S), member("b", 599.0)),  # the other is about to be free: nothing would be saved
        at(member("a", HOUR_S), member("b", HOUR_S, kind="g6.12xlarge")),  # other GPUs, other bits
        at(member("a", HOUR_S), member("b")),  # an idle one ends itself
        at(member("a", HOUR_S)),
        at(),
        at(member("a", HOUR_S), member("b", HOUR_S), backlog=(Backlog(model="m", jobs=1, work_s=1.0),)),
        at(member("a", HOUR_S), member("b", HOUR_S), warm_minimum=2),
    ],
)
def test_given_nothing_to_gain_then_nobody_moves(situation: Situation) -> None:
    assert plan(situation, LIMITS).retire is None


@pytest.mark.parametrize(
    ("month_usd", "retired"),
    [
        (0.0, "a"),
        (
            1496.5,
            None,
        ),  # too little is left for the fleet's next hour: the job may find nobody to go on with it
        (1500.0, None),
    ],
)
def test_given_the_months_limit_then_no_job_is_handed_over_that_nobody_may_begin(
    month_usd: float, retired: str | None
) -> None:
    limits = replace(LIMITS, spot=replace(LIMITS.spot, usd_per_hour=2.0), max_usd_per_month=1500.0)
    both = at(member("a", HOUR_S), member("b", 2 * HOUR_S), month_usd=month_usd)

    assert plan(both, limits).retire == retired


@pytest.mark.parametrize("changes", [{"desired": 3}, {"instances": 3, "desired": 3}, {"leaving": 1}])
def test_given_an_instance_that_boots_or_leaves_then_nobody_moves(changes: dict[str, int]) -> None:
    both = at(member("a", HOUR_S), member("b", HOUR_S))

    assert plan(replace(both, spot=replace(both.spot, **changes)), LIMITS).retire is None  # type: ignore[arg-type]


def test_given_markets_then_no_job_moves_from_one_to_the_other() -> None:
    alone = GroupState(desired=1, instances=1, members=(member("b", HOUR_S),))

    assert plan(at(member("a", HOUR_S), on_demand=alone), LIMITS).retire is None


def test_given_an_operator_who_wants_no_moves_then_none() -> None:
    limits = replace(LIMITS, move_least_s=float("inf"))

    assert plan(at(member("a", HOUR_S), member("b", HOUR_S)), limits).retire is None


@given(st.lists(st.lists(st.floats(1.0, 9000.0), max_size=4), max_size=6))
def test_given_any_fleet_then_moving_ends_with_fewer_instances_and_room_for_all(fleet: list[list[float]]) -> None:
    """Each order is carried out in turn: the jobs fit, and it comes to an end."""
    members = {f"{number}": busy for number, busy in enumerate(fleet)}
    for _ in range(len(fleet) + 1):
        made = plan(at(*(member(name, *busy) for name, busy in members.items())), LIMITS)
        if made.retire is None:
            break
        moving = members.pop(made.retire)
        for busy in members.values():
            while moving and busy and len(busy) < 4:
                busy.append(moving.pop())
        assert moving == []
    else:
        raise AssertionError("moves without end")
    assert sum(map(len, members.values())) == sum(map(len, fleet))
