"""One agent, nothing goes wrong: from a queued job to a video in the bucket."""

from pathlib import Path

import imageio.v3 as iio

from jobs.states import State
from tests.chaos.conftest import StartAgent
from tests.chaos.world.agents import ended, submit, wait_for
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
