"""A GPU that breaks under a job, on a machine that has two."""

from pathlib import Path

from jobs.states import State
from tests.chaos.conftest import StartAgent
from tests.chaos.test_agent_interruption import LONG, wait_for_checkpoint
from tests.chaos.world.agents import ended, submit, wait_for
from tests.chaos.world.emulator import LocalAws
from tests.chaos.world.gpus import XIDS


def test_given_a_gpu_that_breaks_then_its_job_goes_on_on_the_other_gpu_and_nobody_is_blamed(
    aws: LocalAws, agent: StartAgent, tmp_path: Path
) -> None:
    job = submit(aws, **LONG)
    xids = tmp_path / "xids"
    one = agent("i-one", module="tests.chaos.world.gpus", fleet_report_s=0.3, environment={XIDS: str(xids)})
    wait_for_checkpoint(aws, job, at_least=3)

    def at_work() -> str | None:
        slots = (slot for instance in aws.fleet().instances() for slot in instance.slots)
        return next((slot.name for slot in slots if slot.job_id == job.id), None)

    gpu = wait_for(at_work, what="the fleet to tell which GPU has the job")

    written = tmp_path / "xids.written"  # the agent looks all the time, and must find the file whole
    written.write_text(f"{gpu} 79\n")
    written.rename(xids)

    done = ended(aws, job)
    assert done.status is State.COMPLETED, done.error
    assert [attempt.outcome for attempt in done.attempts] == ["interrupted", "completed"]
    assert done.attempts[1].resumed_from_step >= 3
    assert done.crashes == 0
    assert [line["slot"] for line in one.said("slot isolated")] == [gpu]
    assert ended(aws, submit(aws)).status is State.COMPLETED
