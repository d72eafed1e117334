"""Chromium as a person's browser: what it asked for, what it said, and what axe finds in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request

CHROMIUM = os.environ.get("REVALIDA_CHROMIUM", "/usr/bin/chromium")
AXE = Path(__file__).parents[3] / "console" / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP = (1440, 900)
PHONE = (390, 844)
WAIT_MS = 90_000  # the machine may be busy; what is waited for is said by what is expected, not by this

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)


@dataclass(kw_only=True)
class Visit:
    """One visitor: a browser context of its own, and all that passed through it."""

    context: BrowserContext
    page: Page
    base: str
    key: str
    urls: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.base}{path}")
        return self.page

    def violations(self) -> list[str]:
        """What axe finds serious or critical on the page as it is, WCAG 2 A and AA, contrast among it."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
        found = self.page.evaluate("rules => axe.run(document, rules)", rules)
        return [
            f"{one['id']}: {one['help']}: {node['html'][:160]}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    def check_discretion(self) -> None:
        """The key was in no address and no log; no policy was broken; no script failed or complained."""
        assert not [url for url in self.urls if self.key in url]
        assert not [text for text in self.said if self.key in text]
        assert not [text for text in self.said if "Content Security Policy" in text]
        assert self.broken == []
        assert self.complaints == []


@contextmanager
def visit(
    browser: Browser,
    *,
    base: str,
    key: str,
    signed_in: bool = True,
    size: tuple[int, int] = DESKTOP,
    **options: Any,
) -> Iterator[Visit]:
    """A visitor with the key in the tab's storage, as the sign-in puts it there; checked for discretion at the end."""
    width, height = size
    context = browser.new_context(
        **{"locale": "en-US", "viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **options}
    )
    context.set_default_timeout(WAIT_MS)
    if signed_in:
        accounts = json.dumps([{"name": "Studio", "key": key, "remembered": False}])
        context.add_init_script(f"sessionStorage['revalida.accounts'] ??= '{accounts}'")
    guest = Visit(context=context, page=context.new_page(), base=base, key=key)

    def on_request(request: Request) -> None:
        guest.urls.append(request.url)

    def on_console(message: ConsoleMessage) -> None:
        guest.said.append(message.text)
        # Chromium notes every answer of 400 and more; what the page makes of those is what the tests look at.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            guest.complaints.append(message.text)

    context.on("request", on_request)
    guest.page.on("console", on_console)
    guest.page.on("pageerror", lambda error: guest.broken.append(str(error)))
    try:
        yield guest
        guest.check_discretion()
    finally:
        context.close()
