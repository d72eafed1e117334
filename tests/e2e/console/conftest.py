"""One browser for the console's tests, and visitors with fresh contexts in it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from jobs.keys import DEFAULT_SCOPES, KeyStore, Scope
from tests.e2e.console.browser import WAIT_MS, Visit, launch, visit
from tests.e2e.studio import Studio

Visitors = Callable[..., Visit]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture
def visitor(browser: Browser, studio: Studio) -> Iterator[Visitors]:
    """Makes a visitor: `visitor(locale="pt-BR")`."""
    with ExitStack() as stack:

        def arrive(**options: Any) -> Visit:
            base = str(studio.stack["console"])
            return stack.enter_context(visit(browser, **{"base": base, "key": studio.api_key, **options}))

        yield arrive


@pytest.fixture
def other_key(studio: Studio) -> str:
    """The key of a tenant who has made nothing yet: it sees and makes videos, and manages nothing."""
    return _new_tenant(studio, DEFAULT_SCOPES)


@pytest.fixture
def other_admin_key(studio: Studio) -> str:
    """A key for everything, of a tenant who has made nothing yet: no other test's video is told to its webhooks."""
    return _new_tenant(studio, tuple(Scope))


def _new_tenant(studio: Studio, scopes: tuple[Scope, ...]) -> str:
    keys = KeyStore(str(studio.stack["table"]), client=studio.aws("dynamodb"))
    return keys.create(owner=f"other-{secrets.token_hex(3)}", name="console test", scopes=scopes)
