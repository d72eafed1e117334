"""Ten thousand jobs in the gallery. No machine makes that many for a test: one real job is repeated on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route, expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio

JOBS = 10_000
CARDS_AT_ONCE = 100  # on a screen of 1440 x 900 with some rows above and below
TO_THE_END = "() => { const page = document.getElementById('content'); page.scrollTop = page.scrollHeight; }"
# A page may be laid out, and its rows measured, after the end was gone to: it is gone to again until it is the last.
FURTHER = f"height => {{ ({TO_THE_END})(); return document.getElementById('content').scrollHeight > height; }}"
AT_THE_LAST = f"""() => {{
  ({TO_THE_END})();
  return [...document.querySelectorAll('article')].some(card => card.textContent.includes('job {JOBS - 1}'));
}}"""


class ManyVideos:
    """Answers the list call as the API would with `JOBS` jobs like `job`, newest first."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self.asked = 0

    def __call__(self, route: Route) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(route.request.url).query).items()}
        first = int(query["after"].removeprefix("video_")) + 1 if "after" in query else 0
        numbers = range(first, min(JOBS, first + int(query["limit"])))
        data = [self._job | {"id": f"video_{number:026}", "prompt": f"job {number}"} for number in numbers]
        self.asked += len(data)
        page = {"object": "list", "data": data, "has_more": numbers.stop < JOBS}
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
        route.fulfill(body=json.dumps(page | ends), content_type="application/json")


def test_given_ten_thousand_jobs_when_scrolled_to_the_end_then_few_cards_exist_at_any_time(
    visitor: Callable[..., Visit], studio: Studio
) -> None:
    client = studio.openai()
    job = client.videos.create(model="wan-mini", prompt="a red circle", size="128x128", seconds="2")
    cancelled = client.post(f"/videos/{job.id}/cancel", cast_to=object)
    guest = visitor()
    # If an agent had the job already, its cancel is only asked for, and each card would ask after a video of no number.
    many = ManyVideos(cancelled | {"status": "cancelled"})
    guest.page.route("**/v1/videos?*", many)
    page = guest.open("/videos")

    assert scroll_through(page, many) <= CARDS_AT_ONCE
    expect(page.get_by_text("10,000 videos")).to_be_visible()


def scroll_through(page: Page, many: ManyVideos) -> int:
    """To the end, page by page as they come; returns the most cards that there were at any time."""
    cards = page.get_by_role("article")
    expect(cards.first).to_contain_text("job 0")
    most = 0
    while many.asked < JOBS:
        height = page.evaluate("() => document.getElementById('content').scrollHeight")
        page.wait_for_function(FURTHER, arg=height)
        most = max(most, cards.count())
    page.wait_for_function(AT_THE_LAST)
    expect(cards.filter(has_text=f"job {JOBS - 1}")).to_be_visible()
    return max(most, cards.count())
