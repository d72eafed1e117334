"""What a person sees when the API is down, slow, refuses the key, or asks to wait: words, and a way on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Route, expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio

FLEET = "**/v1/fleet"
GIVEN_UP = 4  # the first call and its repetitions (console/src/api/query-client.ts): after these the query is in error
Visitors = Callable[..., Visit]


def new_key(studio: Studio, **changes: Any) -> dict[str, Any]:
    answer = httpx.post(
        f"{studio.api_base}/keys",
        headers={"Authorization": f"Bearer {studio.api_key}"},
        json={"name": "console test", **changes},
        timeout=60,
        trust_env=False,
    )
    answer.raise_for_status()
    return dict(answer.json())


def test_given_an_api_that_goes_down_and_comes_back_then_the_page_says_both(visitor: Visitors) -> None:
    guest = visitor()
    page = guest.open("/fleet")
    expect(page.get_by_role("region", name="Over time")).to_be_visible()
    down = page.get_by_text("The API does not answer.")
    failed = itertools.count(1)

    with page.expect_event("requestfailed", lambda call: call.url.endswith("/v1/fleet") and next(failed) > GIVEN_UP):
        guest.context.set_offline(True)
        expect(down).to_be_visible()
    expect(page.get_by_role("region", name="Over time")).to_be_visible()  # what was known stays
    # Of itself the page asks again at any time, and the first answer would take the button away.
    guest.page.route("**/v1/**", lambda route: None)
    guest.context.set_offline(False)
    expect(down).to_be_visible()
    with page.expect_request(FLEET):
        page.get_by_role("button", name="Try again").first.click()
    guest.page.unroute("**/v1/**")  # and lets go what was held

    expect(down).to_be_hidden()


def test_given_an_api_that_is_slow_then_the_page_says_that_the_answer_will_come(visitor: Visitors) -> None:
    guest = visitor()
    held: list[Route] = []
    guest.page.route(FLEET, lambda route: held.append(route))
    page = guest.open("/fleet")

    expect(page.get_by_text("The API takes longer than usual.")).to_be_visible()
    guest.page.unroute(FLEET)  # and lets go what was held
    assert held
    expect(page.get_by_role("region", name="Over time")).to_be_visible()


def test_given_a_key_that_is_revoked_while_in_use_then_another_one_is_asked_for(
    visitor: Visitors, studio: Studio
) -> None:
    made = new_key(studio)
    guest = visitor(key=made["key"])
    page = guest.open("/fleet")
    expect(page.get_by_role("heading", level=1, name="Fleet")).to_be_visible()

    httpx.delete(
        f"{studio.api_base}/keys/{made['id']}",
        headers={"Authorization": f"Bearer {studio.api_key}"},
        timeout=60,
        trust_env=False,
    ).raise_for_status()

    expect(page.get_by_text("Your key is not valid any more")).to_be_visible()
    page.get_by_label("API key").fill(studio.api_key)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", level=1, name="Fleet")).to_be_visible()


def test_given_a_key_with_a_rate_limit_then_the_page_waits_and_says_how_long(visitor: Visitors, studio: Studio) -> None:
    guest = visitor(key=new_key(studio, limits={"requests_per_minute": 3})["key"])
    page = guest.open("/fleet")

    expect(page.get_by_text("Too many requests with this key.")).to_be_visible()
    expect(page.get_by_text("We go on by ourselves in")).to_be_visible()


def test_given_a_key_that_may_only_read_then_the_keys_page_says_what_is_missing(
    visitor: Visitors, studio: Studio
) -> None:
    guest = visitor(key=new_key(studio, scopes=["read"])["key"])
    page = guest.open("/keys")

    expect(page.get_by_text("This key may not do that.")).to_be_visible()
    expect(page.get_by_text("lacks the scope 'admin'")).to_be_visible()


def test_given_a_request_that_no_model_takes_then_the_reason_stands_where_it_arises(visitor: Visitors) -> None:
    guest = visitor()
    page = guest.open("/")
    page.get_by_label("Prompt", exact=True).fill("a red circle")
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Guidance scale").fill("99")

    expect(page.get_by_label("Guidance scale")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Make the video")).to_be_disabled()
