"""Which agents start and stop, for what the group wants."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local.fleet_decision import Agent, Changes, backoff_s, decide, ended

NOTHING = Changes(start=(), stop=(), forget=())


def test_given_a_new_instance_when_decided_then_its_agent_starts() -> None:
    assert decide({"i-1"}, {}, now_s=0.0) == Changes(start=("i-1",), stop=(), forget=())


def test_given_a_running_agent_when_its_instance_stays_then_nothing_changes() -> None:
    assert decide({"i-1"}, {"i-1": Agent(started_at_s=0.0)}, now_s=5.0) == NOTHING


def test_given_a_running_agent_when_its_instance_is_gone_then_it_stops() -> None:
    assert decide(set(), {"i-1": Agent(started_at_s=0.0)}, now_s=5.0) == Changes(start=(), stop=("i-1",), forget=())


def test_given_an_agent_that_left_with_its_instance_when_decided_then_it_is_forgotten() -> None:
    agent = Agent(started_at_s=0.0, ended_at_s=4.0, failures=1)

    assert decide(set(), {"i-1": agent}, now_s=5.0) == Changes(start=(), stop=(), forget=("i-1",))


def test_given_a_crashed_agent_when_its_instance_stays_then_it_starts_again_after_the_backoff() -> None:
    crashed = ended(Agent(started_at_s=0.0), now_s=2.0)

    assert decide({"i-1"}, {"i-1": crashed}, now_s=2.5) == NOTHING
    assert decide({"i-1"}, {"i-1": crashed}, now_s=3.0).start == ("i-1",)


def test_given_an_agent_that_ran_for_long_when_it_crashes_then_its_old_failures_count_no_more() -> None:
    assert ended(Agent(started_at_s=0.0, failures=5), now_s=3600.0).failures == 1


@given(st.integers(min_value=1, max_value=10_000))
def test_given_any_number_of_failures_when_waited_for_then_never_longer_than_a_minute(failures: int) -> None:
    assert 1.0 <= backoff_s(failures) <= 60.0
    assert backoff_s(failures) <= backoff_s(failures + 1)


@given(
    wanted=st.sets(st.sampled_from("abcdef")),
    agents=st.dictionaries(
        st.sampled_from("abcdef"),
        st.builds(
            Agent,
            started_at_s=st.floats(0, 50),
            ended_at_s=st.none() | st.floats(50, 100),
            failures=st.integers(1, 9),
        ),
    ),
    now_s=st.floats(100, 200),
)
def test_given_any_state_when_decided_then_no_agent_starts_twice_or_without_an_instance(
    wanted: set[str], agents: dict[str, Agent], now_s: float
) -> None:
    changes = decide(wanted, agents, now_s=now_s)
    running = {name for name, agent in agents.items() if agent.ended_at_s is None}

    assert set(changes.start) <= wanted - running
    assert set(changes.stop) == running - wanted
