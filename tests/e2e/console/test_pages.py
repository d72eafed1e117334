"""Every page: for everybody (axe, light and dark), on a phone, by keyboard alone, and light on the wire."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Response, expect

from tests.e2e.console.browser import PHONE, Visit
from tests.e2e.studio import Studio

PAGES = {
    "/": "Create a video",
    "/videos": "Gallery",
    "/batch": "Batch",
    "/fleet": "Fleet",
    "/characters": "Characters",
    "/keys": "API keys",
    "/webhooks": "Webhooks",
}
FIRST_LOAD_BYTES = 250_000
Visitors = Callable[..., Visit]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_given_any_page_when_looked_through_then_axe_finds_nothing_serious(visitor: Visitors, scheme: str) -> None:
    guest = visitor(color_scheme=scheme)
    found = {}
    for path, title in PAGES.items():
        page = guest.open(path)
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        expect(page.locator(".waiting")).to_have_count(0)
        found[path] = guest.violations()

    assert found == {path: [] for path in PAGES}


def test_given_dark_mode_when_chosen_then_it_is_kept_and_light_follows_the_system(visitor: Visitors) -> None:
    guest = visitor(color_scheme="light")
    page = guest.open("/batch")
    ground = """async () => {
        const root = document.documentElement;
        await Promise.all(root.getAnimations().map((each) => each.finished));  // the colour fades
        return getComputedStyle(root).backgroundColor;
    }"""
    is_dark = expect(page.locator("html"))
    light = page.evaluate(ground)
    page.get_by_role("button", name="Appearance").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    is_dark.to_have_attribute("data-theme", "dark")
    dark = page.evaluate(ground)

    page.reload()

    is_dark.to_have_attribute("data-theme", "dark")
    assert page.evaluate(ground) == dark != light


def test_given_a_phone_when_any_page_is_opened_then_nothing_is_wider_than_it(visitor: Visitors) -> None:
    guest = visitor(size=PHONE, has_touch=True, is_mobile=True)
    widths = {}
    for path, title in PAGES.items():
        page = guest.open(path)
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        expect(page.locator(".waiting")).to_have_count(0)
        widths[path] = page.evaluate("() => document.getElementById('content').scrollWidth")

    assert all(width <= PHONE[0] for width in widths.values()), widths


def test_given_only_a_keyboard_when_shots_are_written_cut_and_sent_then_they_are_in_the_queue(
    visitor: Visitors, studio: Studio
) -> None:
    guest = visitor()
    page = guest.open("/")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
    page.keyboard.press("Shift+Tab")  # back to the kinds, of which one is reached
    page.keyboard.press("End")
    expect(page.get_by_role("radio", name="Shots")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Scene", exact=True).focus()
    page.keyboard.type("simple shapes on a white background")
    for number, text in enumerate(("a red circle moves right", "a blue square moves left", "a green star"), start=1):
        page.get_by_label(f"Shot {number}", exact=True).focus()
        page.keyboard.type(text)
    cut = page.get_by_role("slider", name="Cut after shot 1")
    before = cut.get_attribute("aria-valuenow") or ""
    cut.focus()
    page.keyboard.press("ArrowRight")
    expect(cut).not_to_have_attribute("aria-valuenow", before)
    handle = page.get_by_role("button", name="Move shot 3", exact=True)
    handle.focus()
    page.keyboard.press("Space")
    expect(handle).to_have_attribute("aria-pressed", "true")
    told = page.locator("[id^=DndLiveRegion]")  # what a screen reader is told of the drag, once the list has moved
    expect(told).to_contain_text("was moved over")  # its own place, so far
    for _ in range(2):
        place = told.inner_text()
        page.keyboard.press("ArrowUp")
        expect(told).not_to_have_text(place)
    page.keyboard.press("Space")
    expect(page.get_by_label("Shot 1", exact=True)).to_have_value("a green star")
    expect(page.get_by_role("button", name="Make the video")).to_be_enabled()
    expect(page.get_by_role("button", name="Move shot 1", exact=True)).to_be_focused()
    page.keyboard.press("Control+Enter")

    expect(page.get_by_role("heading", level=1, name="simple shapes")).to_be_visible()
    video_id = page.url.rpartition("/")[2]
    video = studio.openai().videos.retrieve(video_id).model_dump()
    assert video["shots"][0]["prompt"] == "a green star"
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.get_by_text("Cancelled").first).to_be_visible()


@pytest.mark.parametrize("locale", ["pt-BR", "en-US"])
def test_given_a_first_visit_when_the_page_loads_then_its_scripts_are_small(visitor: Visitors, locale: str) -> None:
    guest = visitor(locale=locale)
    came: list[Response] = []
    guest.page.on("response", lambda response: came.append(response))
    page = guest.open("/")
    expect(page.get_by_role("radio").first).to_be_visible()
    page.wait_for_load_state("networkidle")  # a body is whole by then

    scripts = {
        response.url: len(gzip.compress(response.body(), 9))
        for response in came
        if response.request.resource_type == "script"
    }
    assert 0 < sum(scripts.values()) < FIRST_LOAD_BYTES, scripts


def test_given_any_page_when_served_then_its_policy_lets_no_foreign_or_inline_script_in(studio: Studio) -> None:
    answer = httpx.get(f"{studio.stack['console']}/videos/video_1", trust_env=False)

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "<script>" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
