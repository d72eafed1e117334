"""The fleet's page while it works: who works on what, what waits, what it costs, and how that went over time."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio

PLOTS = ("Backlog", "Busy slots", "Time per video")  # no instance of this machine has a price


def test_given_a_fleet_that_made_a_video_then_its_page_shows_slots_spend_and_plots(
    visitor: Callable[..., Visit], studio: Studio
) -> None:
    extra = {"num_frames": 17, "num_inference_steps": 1}
    video = studio.openai().videos.create_and_poll(model="wan-mini", prompt="a red circle", extra_body=extra)
    assert video.status == "completed", video
    (attempt,) = video.model_dump()["attempts"]
    guest = visitor()
    page = guest.open("/fleet")

    instance = page.get_by_role("region", name="Instances").get_by_role("article")
    expect(instance.filter(has_text=attempt["instance_id"])).to_contain_text("wan-mini")
    expect(page.get_by_role("region", name="Spend")).to_contain_text("This month")
    plots = page.get_by_role("region", name="Over time")
    for name in PLOTS:
        expect(plots.get_by_role("img", name=name)).to_be_visible()
    expect(plots.get_by_role("img", name="Time per video").locator(".recharts-scatter-symbol").first).to_be_visible()
    plots.get_by_role("radio", name="1 week").click()
    expect(plots.get_by_role("img", name="Backlog")).to_be_visible()
