"""One trace id from the door to the attempts: given, the invocation's, or new."""

import re

import pytest

from jobs import tracing, transitions
from jobs.view import video_view
from tests.unit.jobs.made import T0, queued

GIVEN = "1-6ab13b80-5f2c8d1e4a7b9c3d6e0f1a2b"


def test_given_a_trace_header_then_its_root_is_the_trace() -> None:
    assert tracing.trace_id(f"Self=1-aaa;Root={GIVEN};Sampled=1") == GIVEN


@pytest.mark.parametrize("header", [None, "", "Root=nonsense", f"NotRoot={GIVEN}", f"Root={GIVEN}0"])
def test_given_no_usable_header_then_the_invocations_trace_is_taken_and_else_a_new_one(
    monkeypatch: pytest.MonkeyPatch, header: str | None
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={GIVEN};Parent=1")
    assert tracing.trace_id(header) == GIVEN
    monkeypatch.delenv("_X_AMZN_TRACE_ID")
    made = tracing.trace_id(header)
    assert made != GIVEN
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", made)


def test_given_an_interrupted_job_then_its_attempts_show_steps_lost_seconds_and_cost() -> None:
    job = queued(trace_id=GIVEN)
    job = transitions.claim(job, instance_id="i-1", slot="A10Gx1", lease_s=60, usd_per_hour=3.6, now=T0)
    job = transitions.heartbeat(
        job, 1, lease_s=60, step=6, total_steps=8, phase="denoise", checkpoint_step=4, now=T0 + 9
    )
    job = transitions.interrupt(job, 1, checkpoint_step=4, reason="spot", now=T0 + 10)

    waiting = video_view(job)
    resumed = video_view(transitions.claim(job, instance_id="i-2", slot="A10Gx1", lease_s=60, now=T0 + 50))

    assert waiting.trace_id == GIVEN
    assert [waiting.attempts[0], *resumed.attempts][:2] == [resumed.attempts[0]] * 2
    shown = resumed.attempts[0]
    assert (shown.steps_done, shown.steps_lost, shown.seconds, shown.cost_usd) == (6, 2, 10.0, 0.01)
    assert (resumed.attempts[1].resumed_from_step, resumed.attempts[1].seconds) == (4, None)
