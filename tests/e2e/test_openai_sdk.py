"""First door: a program written for the hosted API changes its base URL and key, and nothing else."""

from __future__ import annotations

import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, omit

from tests.e2e.media import decode, image_size
from tests.e2e.studio import Studio, wait_until

MODEL = "wan-mini"


def test_create_and_poll_gives_a_video_of_the_size_frames_and_fps_asked_for(studio: Studio) -> None:
    client = studio.openai()

    video = client.videos.create_and_poll(
        model=MODEL, prompt="a red circle moving right on a blue background", size="128x128", seconds="2"
    )

    assert video.status == "completed", video.error
    assert (video.size, video.seconds, video.progress) == ("128x128", "2", 100)
    clip = decode(client.videos.download_content(video.id).read())
    assert (clip.size, len(clip.frames), clip.fps) == ("128x128", 33, 16.0)
    thumbnail = client.videos.download_content(video.id, variant="thumbnail").read()
    assert image_size(thumbnail) == (128, 128)
    sheet_width, sheet_height = image_size(client.videos.download_content(video.id, variant="spritesheet").read())
    assert sheet_width > 128
    assert sheet_height >= 128


def test_finished_job_can_be_listed_retrieved_and_deleted(studio: Studio) -> None:
    client = studio.openai()
    video = client.videos.create_and_poll(model=MODEL, prompt="a green star", size="128x128", seconds="1")

    assert video.id in [entry.id for entry in client.videos.list(limit=20)]
    assert client.videos.retrieve(video.id).completed_at is not None

    assert client.videos.delete(video.id).deleted
    with pytest.raises(NotFoundError):
        client.videos.retrieve(video.id)


def test_progress_moves_with_the_denoise_steps(studio: Studio) -> None:
    client = studio.openai()
    video = client.videos.create(
        model=MODEL, prompt="a white square", size="128x128", seconds="3", extra_body={"num_inference_steps": 50}
    )
    seen: list[int] = []

    def finished() -> bool:
        now = client.videos.retrieve(video.id)
        seen.append(now.progress)
        return now.status not in ("queued", "in_progress")

    wait_until(finished, what="the job to end")

    assert seen == sorted(seen)
    assert len({value for value in seen if 0 < value < 100}) >= 2, seen


def test_running_job_is_cancelled_within_a_step(studio: Studio) -> None:
    client = studio.openai()
    video = client.videos.create(
        model=MODEL, prompt="a slow square", size="128x128", seconds="3", extra_body={"num_inference_steps": 50}
    )
    wait_until(lambda: client.videos.retrieve(video.id).status == "in_progress", what="the job to start")

    client.post(f"/videos/{video.id}/cancel", cast_to=object)

    wait_until(lambda: client.videos.retrieve(video.id).status == "cancelled", what="the cancel")


def test_same_seed_gives_the_same_frames(studio: Studio) -> None:
    client = studio.openai()
    videos = [
        client.videos.create_and_poll(
            model=MODEL, prompt="um círculo vermelho", size="128x128", seconds="1", extra_body={"seed": seed}
        )
        for seed in (7, 7, 8)
    ]

    first, again, other = [decode(client.videos.download_content(video.id).read()).frames for video in videos]

    assert (first == again).all()
    assert (first != other).any()


def test_an_extension_is_the_video_and_what_comes_after_it(studio: Studio) -> None:
    client = studio.openai()
    source = client.videos.create_and_poll(
        model=MODEL, prompt="a red circle", size="128x128", seconds="1", extra_body={"seed": 7}
    )

    made = client.videos.extend(
        prompt="a red circle stops", seconds="1", video=omit, extra_body={"video": {"id": source.id}, "seed": 7}
    )
    whole = client.videos.poll(made.id)

    assert (whole.status, whole.seconds) == ("completed", "2"), whole.error
    first, all_of_it = (decode(client.videos.download_content(video.id).read()).frames for video in (source, whole))
    assert (len(first), len(all_of_it)) == (17, 33)
    # Encoded once more, the source's frames come first; the first that was made is like the last of these.
    changes = abs(all_of_it[: len(first)].astype(int) - first.astype(int)).mean()
    step = abs(all_of_it[len(first)].astype(int) - all_of_it[len(first) - 1].astype(int)).mean()
    assert max(changes, step) < 16


def test_errors_are_the_classes_the_sdk_knows(studio: Studio) -> None:
    client = studio.openai()

    with pytest.raises(BadRequestError) as unknown_model:
        client.videos.create(model="sora-2", prompt="x")
    assert unknown_model.value.param == "model"
    with pytest.raises(NotFoundError):
        client.videos.retrieve("video_01ARZ3NDEKTSV4RRFFQ69G5FAV")
    with pytest.raises(AuthenticationError):
        studio.openai(api_key="sk-wrong").videos.list()
