"""One agent, nothing goes wrong: from a queued job to a video in the bucket, and what the agent tells of it."""

from pathlib import Path

import imageio.v3 as iio

from jobs.states import State
from tests.chaos.conftest import StartAgent
from tests.chaos.world.agents import AgentProcess, ended, submit, wait_for
from tests.chaos.world.emulator import LocalAws


def test_given_a_queued_job_when_an_agent_runs_then_the_video_is_as_ordered(
    aws: LocalAws, agent: StartAgent, tmp_path: Path
) -> None:
    job = submit(aws)

    agent("i-one")

    done = ended(aws, job)
    assert done.status is State.COMPLETED, done.error
    assert done.outputs is not None
    assert done.step == done.total_steps == 4
    video = tmp_path / "video.mp4"
    aws.client("s3").download_file(aws.bucket, done.outputs.video, str(video))
    frames = iio.imread(video, plugin="pyav")
    assert frames.shape == (17, 160, 96, 3)
    assert done.outputs.video == f"videos/{job.id}/1/video.mp4"
    wait_for(lambda: aws.queues().depth("wan-mini").total == 0, what="an empty queue")


ABOUT_A_JOB = ("reserved", "job starts", "frames done", "uploaded", "job ended")
METRICS = {
    "QueueWait",
    "ModelLoad",
    "StepSeconds",
    "CheckpointSeconds",
    "CheckpointUpload",
    "GapBetweenJobs",
    "GpuBusy",
    "VideoBytes",
    "JobSeconds",
    "JobCompleted",
    "WorkerRecycled",
}


def test_given_two_jobs_then_every_line_names_job_attempt_and_trace_and_the_metrics_are_there(
    aws: LocalAws, agent: StartAgent
) -> None:
    jobs = [submit(aws, trace_id=f"1-5759e988-{number:024x}") for number in range(2)]

    one = agent("i-one", max_host_gib=0.01)  # and the worker is replaced after a job, since it holds more than that

    for job in jobs:
        assert ended(aws, job).status is State.COMPLETED
    wait_for(lambda: len(one.said("job ended")) == 2, what="the last words")
    known = {(job.id, 1, job.trace_id) for job in jobs}
    for message in ABOUT_A_JOB:
        assert {(line["job_id"], line["attempt"], line["trace_id"]) for line in one.said(message)} == known
    assert len(one.said("uploaded")) == 3 * len(jobs)
    wait_for(lambda: one.said("worker recycled"), what="another worker")
    assert metrics_of(one) >= METRICS
    assert ended(aws, submit(aws)).status is State.COMPLETED, "by the worker that came after"
    assert one.process.poll() is None
    assert not one.said("loop died")


def metrics_of(agent: AgentProcess) -> set[str]:
    """Names of all metrics in the log, which are lines of their own in CloudWatch's format."""
    lines = [line for line in agent.lines() if "_aws" in line]
    return {
        metric["Name"]
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
