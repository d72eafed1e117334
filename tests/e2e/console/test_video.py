"""A video's page when things went wrong: what happened on which instance, why it failed, and what to do."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from typing import Any

from PIL import Image
from playwright.sync_api import expect

from jobs.job import Job, JobError
from jobs.store import JobStore
from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio
from tests.unit.jobs.made import queued, request

WORDS = "The video does not fit the GPU: 25 GiB are needed, 22 there."


def interrupted_and_failed(studio: Studio, **fields: Any) -> Job:
    """A job's record as two agents leave it: one lost its instance at step 23, the other resumed there and failed."""
    store = JobStore(studio.stack["table"], client=studio.aws("dynamodb"))
    now = time.time()
    job = queued(
        request=request(num_inference_steps=40, prompt="a red circle that fails", **fields),
        created_at=now,
        updated_at=now,
        queued_at=now,
    )
    store.create(job)
    store.claim(job.id, instance_id="i-0aaa", slot="0", lease_s=60, usd_per_hour=1.7)
    store.heartbeat(job.id, 1, lease_s=60, step=23, total_steps=40, phase="denoise", checkpoint_step=23)
    store.interrupt(job.id, 1, checkpoint_step=23, reason="Spot interruption")
    store.claim(job.id, instance_id="i-0bbb", slot="0+1", lease_s=60, usd_per_hour=1.7)
    store.heartbeat(job.id, 2, lease_s=60, step=30, total_steps=40, phase="denoise")
    return store.fail(job.id, 2, error=JobError(code="out_of_memory", message=WORDS))


def test_given_a_job_that_was_interrupted_and_failed_then_its_page_tells_the_story_and_the_way_on(
    visitor: Callable[..., Visit], studio: Studio
) -> None:
    job = interrupted_and_failed(studio)
    guest = visitor()
    page = guest.open(f"/videos/{job.id}")

    story = page.get_by_role("region", name="What happened").get_by_role("listitem")
    expect(story.nth(1)).to_contain_text("interrupted at step 23")
    expect(story.nth(1)).to_contain_text("i-0aaa")
    expect(story.nth(1)).to_contain_text("Spot interruption")
    expect(story.nth(2)).to_contain_text("Attempt 2 resumed at step 23")
    expect(story.nth(2)).to_contain_text("i-0bbb")
    failure = page.get_by_role("alert")
    expect(failure).to_contain_text(WORDS)
    expect(failure).to_contain_text("Choose a smaller size or fewer frames")
    assert guest.violations() == []

    failure.get_by_role("button", name="Try again").click()
    expect(page).not_to_have_url(re.compile(job.id))
    made = studio.openai().videos.retrieve(page.url.rpartition("/")[2]).model_dump()
    assert {name: made[name] for name in ("prompt", "seed", "fps", "num_inference_steps")} == {
        **{"prompt": "a red circle that fails", "seed": job.request.seed},
        **{"fps": job.request.fps, "num_inference_steps": 40},
    }
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.get_by_text("Cancelled").first).to_be_visible()


def test_given_a_failed_video_that_began_at_an_image_then_the_way_on_is_where_the_image_is_given(
    visitor: Callable[..., Visit], studio: Studio
) -> None:
    job = interrupted_and_failed(studio, model="wan-mini-i2v", image="inputs/first.png")
    page = visitor().open(f"/videos/{job.id}")

    page.get_by_role("alert").get_by_role("link", name="Ask for it anew").click()

    expect(page.get_by_role("heading", level=1, name="Create a video")).to_be_visible()


def test_given_a_browser_that_lets_no_page_copy_when_asked_to_then_the_page_says_so(
    visitor: Callable[..., Visit], studio: Studio
) -> None:
    job = interrupted_and_failed(studio)
    guest = visitor()
    guest.page.add_init_script("delete Navigator.prototype.clipboard")  # as for a page that came by plain HTTP
    page = guest.open(f"/videos/{job.id}")

    page.get_by_role("button", name="Copy for support").click()

    expect(page.get_by_text("does not let this page copy")).to_be_visible()


def test_given_a_first_frame_when_dropped_then_it_is_uploaded_and_the_video_is_quoted(
    visitor: Callable[..., Visit],
) -> None:
    page = visitor().open("/")
    page.get_by_role("radio", name="Image").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "first.png", "mimeType": "image/png", "buffer": png(128, 128)}
    )
    expect(page.get_by_role("img", name="The first frame")).to_be_visible()
    page.get_by_label("Prompt", exact=True).fill("it moves to the right")

    expect(page.get_by_test_id("quote")).to_contain_text("Computing")
    expect(page.get_by_role("button", name="Make the video")).to_be_enabled()


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()
