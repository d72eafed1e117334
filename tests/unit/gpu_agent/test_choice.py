"""The choice of work: affinity within its bound, priority, fairness, and on-demand capacity."""

from hypothesis import given
from hypothesis import strategies as st

from gpu_agent.choice import ChoicePolicy, SlotView, TenantUse, WaitingJob, choose
from gpu_agent.settings import AgentSettings
from gpu_agent.source import waiting_job
from jobs import transitions
from jobs.job import Job
from jobs.waiting import ON_DEMAND_PATIENCE_S
from tests.unit.jobs.made import T0, queued, request

POLICY = ChoicePolicy(affinity_bound_s=300, on_demand_patience_s=900, priority_ageing_s=3600)
SLOT = SlotView(models=frozenset({"a", "b"}), loaded="a")
NOBODY = TenantUse()
LEASE_S = 60.0


def job(job_id: str, model: str = "a", *, waits_s: float = 0, owner: str = "o", **more: object) -> WaitingJob:
    return WaitingJob(job_id=job_id, model=model, owner=owner, queued_at_s=10_000 - waits_s, **more)  # type: ignore[arg-type]


def pick(*jobs: WaitingJob, slot: SlotView = SLOT, use: TenantUse = NOBODY) -> str | None:
    chosen = choose(jobs, slot, use, POLICY, now_s=10_000)
    return chosen.job_id if chosen else None


def test_given_an_older_job_of_another_model_when_within_the_bound_then_the_loaded_model_goes_on() -> None:
    assert pick(job("old", "b", waits_s=299), job("warm", "a", waits_s=1)) == "warm"


def test_given_an_older_job_of_another_model_when_its_bound_is_reached_then_it_goes_first() -> None:
    assert pick(job("old", "b", waits_s=300), job("warm", "a", waits_s=1)) == "old"


def test_given_a_higher_priority_when_its_model_is_not_loaded_then_affinity_does_not_pass_it() -> None:
    assert pick(job("urgent", "b", priority=1), job("warm", "a", waits_s=200)) == "urgent"


def test_given_two_tenants_when_one_has_more_running_then_the_other_goes_first() -> None:
    use = TenantUse(running={"busy": 3})
    assert pick(job("1", owner="busy", waits_s=50), job("2", owner="idle", waits_s=1), use=use) == "2"


def test_given_one_slot_when_a_tenant_was_just_served_then_the_other_takes_its_turn() -> None:
    use = TenantUse(last_served_s={"big": 9_999.0})
    assert pick(job("1", owner="big", waits_s=90), job("2", owner="small", waits_s=1), use=use) == "2"


def test_given_a_job_marked_for_on_demand_when_the_slot_is_spot_then_it_waits_but_not_for_ever() -> None:
    marked = job("1", waits_s=899, on_demand_only=True)
    assert pick(marked) is None
    assert pick(marked, slot=SlotView(models=frozenset({"a"}), is_spot=False)) == "1"
    assert pick(job("1", waits_s=900, on_demand_only=True)) == "1"


def test_given_a_slot_that_is_not_spot_then_what_only_it_may_run_goes_first_among_equals() -> None:
    on_demand = SlotView(models=frozenset({"a"}), loaded="a", is_spot=False)
    marked, older, urgent = job("marked", on_demand_only=True), job("older", waits_s=250), job("urgent", priority=1)
    assert pick(marked, older, slot=on_demand) == "marked"
    assert pick(marked, older, urgent, slot=on_demand) == "urgent"
    assert pick(marked, older) == "older"


def test_given_a_passed_deadline_then_no_slot_begins_the_job_but_goes_on_with_one_that_had_begun() -> None:
    assert pick(job("late", deadline_s=10_000)) is None
    assert pick(job("late", deadline_s=10_000), job("other")) == "other"
    assert pick(job("due", deadline_s=10_001)) == "due"

    begun = claimed(queued(request=request(deadline=int(T0) + 1)))
    interrupted = transitions.interrupt(begun, 1, checkpoint_step=7, reason="spot", now=T0)
    slot, at = SlotView(models=frozenset({"wan-mini"})), T0 + LEASE_S
    for waits, chosen in ((begun, True), (interrupted, True), (queued(request=begun.request), False)):
        waiting = waiting_job(waits)
        assert choose([waiting], slot, NOBODY, POLICY, now_s=at) == (waiting if chosen else None)


def test_given_a_job_that_outlived_its_lease_then_its_patience_counts_from_the_leases_end() -> None:
    lost = transitions.interrupt(claimed(queued()), 1, checkpoint_step=0, reason="spot", now=T0)
    outlived = claimed(lost.model_copy(update={"queued_at": T0 - 5_000}))

    waiting = waiting_job(outlived)

    assert waiting.on_demand_only
    assert waiting.queued_at_s == T0 + LEASE_S
    assert choose([waiting], SlotView(models=frozenset({"wan-mini"})), NOBODY, POLICY, now_s=T0 + LEASE_S + 1) is None


def claimed(record: Job) -> Job:
    return transitions.claim(record, instance_id="i-1", slot="0", lease_s=LEASE_S, now=T0)


def test_given_a_model_that_the_slot_cannot_run_then_its_jobs_are_not_chosen() -> None:
    assert pick(job("1", "c", priority=9)) is None


def test_given_a_low_priority_job_when_it_has_aged_enough_then_nothing_passes_it_any_more() -> None:
    assert pick(job("old", priority=-1, waits_s=3 * 3600), job("new", priority=1)) == "old"


waiting_jobs = st.lists(
    st.builds(
        lambda number, model, owner, waits_s, priority: job(
            str(number), model, owner=owner, waits_s=waits_s, priority=priority
        ),
        st.integers(0, 10_000),
        st.sampled_from("abc"),
        st.sampled_from(("x", "y", "z")),
        st.floats(0, 9_000),
        st.integers(-1, 1),
    ),
    max_size=20,
)


@given(waiting_jobs)
def test_given_any_queue_when_the_head_of_the_fair_order_is_over_its_bound_then_affinity_changes_nothing(
    jobs: list[WaitingJob],
) -> None:
    cold = SlotView(models=SLOT.models, loaded=None)
    fair = choose(jobs, cold, NOBODY, POLICY, now_s=10_000)
    chosen = choose(jobs, SLOT, NOBODY, POLICY, now_s=10_000)
    assert (fair is None) == (chosen is None)
    if fair is not None and 10_000 - fair.queued_at_s >= POLICY.affinity_bound_s:
        assert chosen == fair


def test_given_the_agents_patience_for_on_demand_then_it_is_the_planners() -> None:
    """The planner asks Spot for a marked job when agents on Spot may run it: sooner, the instance would idle."""
    assert ChoicePolicy().on_demand_patience_s == ON_DEMAND_PATIENCE_S
    assert AgentSettings.model_fields["on_demand_patience_s"].default == ON_DEMAND_PATIENCE_S
