"""A character from words: its pictures are accepted or rejected, and it is learned from those that remain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio, wait_until

MADE_S = 300.0
LEAST = 5  # pictures that a character is learned from
NAME = "Lobo"


@pytest.fixture
def api(studio: Studio) -> Iterator[httpx.Client]:
    with studio.http() as client:
        yield client


@pytest.fixture
def character(api: httpx.Client) -> Iterator[str]:
    """The path of a character whose pictures are there."""
    body = {"name": NAME, "description": "a grey circle", "num_images": LEAST + 1, "model": "wan-mini"}
    made = api.post("/videos/characters", json=body).raise_for_status().json()
    path = f"/videos/characters/{made['id']}"
    wait_until(
        lambda: api.get(path).raise_for_status().json()["status"] == "review",
        timeout_s=MADE_S,
        what=lambda: f"the pictures: {api.get(path).text}",
    )
    yield path
    api.delete(path).raise_for_status()


def test_given_generated_pictures_when_reviewed_then_the_accepted_ones_alone_are_learned_from(
    visitor: Callable[..., Visit], api: httpx.Client, character: str
) -> None:
    guest = visitor()
    page = guest.open("/characters")
    card = page.get_by_role("main").get_by_role("listitem").filter(has=page.get_by_role("heading", name=NAME))
    pictures = card.get_by_role("checkbox")
    expect(pictures).to_have_count(LEAST + 1)
    expect(card.get_by_role("img")).to_have_count(LEAST + 1)
    train = card.get_by_role("button", name="Learn from the accepted")
    expect(train).to_be_disabled()
    assert guest.violations() == []
    for number in range(LEAST + 1):
        expect(card).to_contain_text(f"{number} accepted; at least {LEAST} are needed")
        if number < LEAST:
            expect(train).to_be_disabled()
        pictures.nth(number).click()
        expect(pictures.nth(number)).to_be_checked()
    pictures.nth(0).click()
    expect(pictures.nth(0)).not_to_be_checked()
    assert _reviews(api, character) == ["rejected", *["accepted"] * LEAST]

    train.click()

    expect(train).to_have_count(0)  # there is nothing to review any more
    expect(card).to_contain_text(f"from {LEAST} pictures")
    assert api.get(character).json()["status"] in {"queued", "training"}


def _reviews(api: httpx.Client, character: str) -> list[Any]:
    found = api.get(f"{character}/images").raise_for_status().json()
    return [each["review"] for each in found["data"]]
