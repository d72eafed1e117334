"""All policies over the same arrivals and the same market, and the comparison that matters."""

from collections.abc import Callable, Iterable

from pydantic import BaseModel, ConfigDict

from simulator.arrivals import draw
from simulator.engine import Simulation
from simulator.policies import MESSAGE_COUNTS, OURS, VARIANTS, Policy, by_messages
from simulator.result import Result, measure
from simulator.scenario import Scenario

# A p95 this much longer than ours still counts as equal: a message-count fleet is tuned in steps, not to the second.
EQUAL_P95 = 1.03


class Comparison(BaseModel):
    """The results, ours first. `rival` is the message-count policy that ours is held against: the cheapest of those
    whose p95 is no worse than EQUAL_P95 of ours, or, where none is, the one with the best p95. `saving` is ours against
    it, as a share of its cost per video; `p95_ratio` is our p95 over its own."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario
    results: tuple[Result, ...]
    rival: str | None = None
    saving: float | None = None
    p95_ratio: float | None = None


def all_policies() -> tuple[Policy, ...]:
    """Ours, message count at several settings, and ours with one thing taken away each."""
    return (OURS, *(by_messages(count) for count in MESSAGE_COUNTS), *VARIANTS)


def compare(
    scenario: Scenario, policies: Iterable[Policy], *, tell: Callable[[str], None] = lambda _: None
) -> Comparison:
    """Run each policy. `tell` hears each policy's name as its run begins.

    Raises ValueError where nothing arrives, DoesNotFit where a model cannot run on the fleet."""
    arrivals = draw(scenario.demand, scenario.seed)
    if not len(arrivals.time_s):
        raise ValueError("no video arrives: ask for more videos per hour, or more hours")
    results = []
    for policy in policies:
        tell(policy.name)
        results.append(measure(policy.name, Simulation(scenario, policy, arrivals).run(), arrivals))
    return _against_rival(scenario, tuple(results))


def _against_rival(scenario: Scenario, results: tuple[Result, ...]) -> Comparison:
    ours = next((one for one in results if one.policy == OURS.name), None)
    counted = [one for one in results if one.policy.startswith("message count")]
    if ours is None or not counted:
        return Comparison(scenario=scenario, results=results)
    as_fast = [one for one in counted if one.p95_s <= ours.p95_s * EQUAL_P95]
    rival = min(as_fast, key=lambda one: one.usd) if as_fast else min(counted, key=lambda one: one.p95_s)
    return Comparison(
        scenario=scenario,
        results=results,
        rival=rival.policy,
        saving=1.0 - ours.usd_per_video / rival.usd_per_video,
        p95_ratio=ours.p95_s / rival.p95_s,
    )
