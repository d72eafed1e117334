"""Others begin at a finished video: remixed, extended and edited from its page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio

NUM_FRAMES = 17
KINDS = {  # by the word on the page: the kind of the new job's origin, and its model and frames
    "Remix": ("remix", "wan-mini", NUM_FRAMES),
    "Extend": ("extension", "wan-mini-i2v", 2 * NUM_FRAMES - 1),  # the last frame is the first of what comes after
    "Edit": ("edit", "wan-mini-i2v", NUM_FRAMES),
}


@pytest.fixture(scope="module")
def source(studio: Studio) -> str:
    """The id of a finished video."""
    client = studio.openai()
    extra = {"num_frames": NUM_FRAMES, "num_inference_steps": 1, "seed": 7}
    made = client.videos.create_and_poll(
        model="wan-mini", prompt="a red circle moves right", size="128x128", extra_body=extra
    )
    assert made.status == "completed", made
    return str(made.id)


@pytest.mark.parametrize("word", KINDS)
def test_given_a_finished_video_when_one_is_made_of_it_then_the_new_one_says_of_which(
    visitor: Callable[..., Visit], studio: Studio, source: str, word: str
) -> None:
    guest = visitor()
    page = guest.open(f"/videos/{source}")
    page.get_by_role("link", name=word, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=word)).to_be_visible()
    expect(page.get_by_role("img", name="a red circle moves right")).to_be_visible()
    page.get_by_label("Prompt", exact=True).fill(f"a blue circle moves right, {word}")
    assert guest.violations() == []

    page.get_by_role("button", name="Make the video").click()

    expect(page).to_have_url(re.compile(rf"/videos/video_(?!{source.removeprefix('video_')})"))
    expect(page.get_by_role("heading", level=1, name=f"a blue circle moves right, {word}")).to_be_visible()
    link = page.get_by_role("region", name="Request").get_by_role("link", name="The original video")
    expect(link).to_have_attribute("href", f"/videos/{source}")
    made = _made(studio, page.url)
    kind, model, num_frames = KINDS[word]
    assert made["origin"] == {"kind": kind, "video_id": source}
    assert (made["model"], made["num_frames"], made["seed"]) == (model, num_frames, 7)
    studio.openai().videos.delete(made["id"])


def test_given_a_length_that_the_model_does_not_make_when_extended_then_the_reason_stands_at_it(
    visitor: Callable[..., Visit], source: str
) -> None:
    page = visitor().open(f"/?from={source}&as=extend")
    page.get_by_label("Seconds more").fill("0.3")
    page.get_by_role("button", name="Make the video").click()

    expect(page.get_by_label("Seconds more")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("0.3")


def _made(studio: Studio, url: str) -> dict[str, Any]:
    found: dict[str, Any] = studio.openai().videos.retrieve(url.rpartition("/")[2]).model_dump()
    return found
