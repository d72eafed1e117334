"""`make bench-gallery`, with `make run` running: how smoothly the gallery scrolls once 10,000 jobs are in it.

Milliseconds from one drawn frame to the next, while the mouse wheel turns. Figures, no verdict: machines differ."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
from openai import OpenAI
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.console.browser import WAIT_MS, launch, visit
from tests.e2e.console.test_gallery import JOBS, ManyVideos, scroll_through

STACK = Path(os.environ.get("REVALIDA_LOCAL_DIR", ".local")) / "stack.json"
TURNS, TURN_PX, PAUSE_MS = 120, 400, 50
LATE_MS = 50  # three frames at 60 a second: what an eye calls a stutter
NOTE_FRAMES = """() => {
  window.frames_ms = [];
  let last = performance.now();
  const note = now => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(note); };
  requestAnimationFrame(note);
}"""


def frames_ms(page: Page) -> list[float]:
    """The wheel turned upwards from the end, through rows that were not drawn lately."""
    page.mouse.move(700, 500)
    page.evaluate(NOTE_FRAMES)
    for _ in range(TURNS):
        page.mouse.wheel(0, -TURN_PX)
        page.wait_for_timeout(PAUSE_MS)
    noted: list[float] = page.evaluate("() => window.frames_ms")
    return noted


def thumbnail(stack: dict[str, str], video_id: str) -> Any:
    """Where the one real video's picture is, for every card."""
    headers = {"authorization": f"Bearer {stack['api_key']}", "accept": "application/json"}
    url = f"{stack['api_base']}/videos/{video_id}/content"
    answer = httpx.get(url, params={"variant": "thumbnail"}, headers=headers, trust_env=False)
    return answer.raise_for_status().json()


def main() -> None:
    stack = json.loads(STACK.read_text(encoding="utf-8"))
    client = OpenAI(base_url=stack["api_base"], api_key=stack["api_key"])
    extra = {"num_frames": 17, "num_inference_steps": 1}
    job = client.videos.create_and_poll(model="wan-mini", prompt="a red circle", extra_body=extra)
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with visit(browser, base=stack["console"], key=stack["api_key"]) as guest:
            many = ManyVideos(job.to_dict())
            guest.page.route("**/v1/videos?*", many)
            picture = thumbnail(stack, job.id)
            guest.page.route("**/v1/videos/*/content?*", lambda route: route.fulfill(json=picture))
            page = guest.open("/videos")
            cards = scroll_through(page, many)
            noted = frames_ms(page)
        browser.close()
    cuts = quantiles(noted, n=100)
    late = sum(each > LATE_MS for each in noted) / len(noted)
    sys.stdout.write(
        f"{JOBS:,} jobs, at most {cards} cards: {len(noted)} frames over {TURNS * TURN_PX:,} px, ms between them: "
        f"p50 {cuts[49]:.1f}, p95 {cuts[94]:.1f}, p99 {cuts[98]:.1f}; {late:.1%} over {LATE_MS} ms\n"
    )
    client.videos.delete(job.id)


if __name__ == "__main__":
    main()
