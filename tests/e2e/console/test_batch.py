"""A file of requests: read, priced, its wrong row named in its place, sent once, followed to the end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio

AT_ONCE = 4  # rows of a file that are on their way together
ROWS = """prompt;model;seconds;metadata[scene]
um círculo vermelho;wan-mini;1;praia
"um quadrado
azul";wan-mini;999;praia
uma estrela verde;wan-mini;1;noite
"""


def test_given_a_csv_with_a_wrong_row_when_dropped_then_the_good_ones_are_priced_and_sent_once(
    visitor: Callable[..., Visit], studio: Studio, tmp_path: Path
) -> None:
    file = tmp_path / "cenas.csv"
    file.write_text(ROWS, encoding="utf-8")
    guest = visitor()
    sent: list[list[str]] = []
    for _ in range(2):
        page = guest.open("/batch")
        page.locator("input[type=file]").set_input_files(file)
        refused = page.get_by_role("row").filter(has_text="um quadrado")
        expect(refused).to_contain_text("seconds")
        expect(refused.get_by_role("cell").first).to_have_text("3")
        expect(page.get_by_role("region", name="The lot")).to_contain_text("of 3 rows")
        page.get_by_role("button", name="Make 2 videos").click()
        links = page.get_by_role("row").get_by_role("link")
        expect(links).to_have_count(2)
        sent.append([str(link.get_attribute("href")) for link in links.all()])

    assert sent[0] == sent[1]  # the second time nothing new was made
    client = studio.openai()
    scenes = [client.videos.retrieve(href.rpartition("/")[2]).model_dump()["metadata"]["scene"] for href in sent[0]]
    assert scenes == ["praia", "noite"]
    for href in sent[0]:
        client.videos.delete(href.rpartition("/")[2])


def test_given_a_video_of_the_file_that_is_deleted_then_the_others_are_followed_to_their_end(
    visitor: Callable[..., Visit], studio: Studio, tmp_path: Path
) -> None:
    file = tmp_path / "two.jsonl"
    rows = ("a red circle", "a blue square")
    file.write_text("".join(f'{{"prompt": "{each}", "model": "wan-mini", "num_frames": 17}}\n' for each in rows))
    page = visitor().open("/batch")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Make 2 videos").click()
    links = page.get_by_role("row").get_by_role("link")
    expect(links).to_have_count(2)

    studio.openai().videos.delete(str(links.first.get_attribute("href")).rpartition("/")[2])

    expect(links.first).to_contain_text("Cancelled")
    expect(links.last).to_contain_text("Completed")


def test_given_a_file_that_is_none_when_dropped_then_it_says_what_would_be(
    visitor: Callable[..., Visit], tmp_path: Path
) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("title,author\na,b\n", encoding="utf-8")
    page = visitor().open("/batch")
    page.locator("input[type=file]").set_input_files(file)

    expect(page.get_by_role("alert")).to_contain_text("must name the columns, 'prompt' among them")


class Gate:
    """Holds the page's calls of one method to `pattern` until it is opened, and counts what came."""

    def __init__(self, page: Page, method: str, pattern: str) -> None:
        self.came: list[Request] = []
        self._method = method
        self._held: list[Route] = []
        self._is_open = False
        page.route(pattern, self._come)

    def open(self) -> None:
        self._is_open = True
        for route in self._held:
            route.continue_()

    def _come(self, route: Route) -> None:
        if route.request.method != self._method:
            return route.fallback()
        self.came.append(route.request)
        return route.continue_() if self._is_open else self._held.append(route)


def price(page: Page, file: Path, prompts: list[str]) -> None:
    """Give the page a file with these prompts, and wait until it can be sent."""
    rows = [{"prompt": prompt, "model": "wan-mini", "num_frames": 17} for prompt in prompts]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("button", name=f"Make {len(prompts)} videos")).to_be_enabled()


def send(page: Page, prompts: list[str]) -> None:
    page.get_by_role("button", name=f"Make {len(prompts)} videos").click()


def prompts_of_links(page: Page, studio: Studio, count: int) -> list[str]:
    """The prompts of the videos that the rows lead to, in the order of the rows; the videos are deleted."""
    links = page.get_by_role("row").get_by_role("link")
    expect(links).to_have_count(count)
    client = studio.openai()
    ids = [str(link.get_attribute("href")).rpartition("/")[2] for link in links.all()]
    prompts = [client.videos.retrieve(each).prompt for each in ids]
    for each in ids:
        client.videos.delete(each)
    return prompts


def is_post_of(prompt: str) -> Callable[[Request], bool]:
    return lambda sent: sent.method == "POST" and sent.url.endswith("/videos") and prompt in (sent.post_data or "")


def held_midway(page: Page, file: Path, prompts: list[str]) -> Gate:
    """A file that is being sent: as many rows as go at once have left, and none has come to the API."""
    gate = Gate(page, "POST", "**/v1/videos")
    price(page, file, prompts)
    with page.expect_request(is_post_of(prompts[AT_ONCE - 1])):
        send(page, prompts)
    return gate


def test_given_a_file_on_its_way_when_another_is_taken_then_the_first_ends_and_the_second_is_sent_whole(
    visitor: Callable[..., Visit], studio: Studio, tmp_path: Path
) -> None:
    word = secrets.token_hex(4)
    first = [f"first {number} {word}" for number in range(AT_ONCE + 2)]
    second = [f"second {number} {word}" for number in range(2)]
    page = visitor().open("/batch")
    gate = held_midway(page, tmp_path / "first.jsonl", first)

    page.get_by_role("button", name="Another file").click()
    price(page, tmp_path / "second.jsonl", second)
    with page.expect_response(lambda answer: is_post_of(first[0])(answer.request)):
        gate.open()
    send(page, second)

    assert prompts_of_links(page, studio, len(second)) == second
    assert len(gate.came) == AT_ONCE + len(second)


def test_given_a_late_answer_about_a_file_that_was_left_then_the_next_files_rows_stay_theirs(
    visitor: Callable[..., Visit], studio: Studio, tmp_path: Path
) -> None:
    word = secrets.token_hex(4)
    first, second = ([f"{name} {number} {word}" for number in range(2)] for name in ("first", "second"))
    page = visitor().open("/batch")
    gate = Gate(page, "GET", "**/v1/videos/video_*")
    price(page, tmp_path / "first.jsonl", first)
    with page.expect_request("**/v1/videos/video_*"):
        send(page, first)

    page.get_by_role("button", name="Another file").click()
    price(page, tmp_path / "second.jsonl", second)
    with page.expect_response("**/v1/videos/video_*"):
        gate.open()
    send(page, second)

    assert prompts_of_links(page, studio, len(second)) == second


def test_given_a_file_on_its_way_when_another_tenant_is_looked_at_then_no_row_is_sent_with_that_ones_key(
    visitor: Callable[..., Visit], other_key: str, tmp_path: Path
) -> None:
    prompts = [f"row {number} {secrets.token_hex(4)}" for number in range(AT_ONCE + 2)]
    page = visitor().open("/batch")
    gate = held_midway(page, tmp_path / "rows.jsonl", prompts)

    page.get_by_role("button", name="Tenant: Studio").click()
    page.get_by_role("menuitem", name="Add a tenant's key").click()
    page.get_by_label("API key").fill(other_key)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_label("API key")).to_have_count(0)  # the dialog hides the page until the key was tried
    expect(page.get_by_role("button", name="Another file")).to_have_count(0)
    with page.expect_response(lambda answer: is_post_of(prompts[0])(answer.request)):
        gate.open()
    page.get_by_role("link", name="Gallery").click()
    expect(page.get_by_text("No video yet")).to_be_visible()

    assert len(gate.came) == AT_ONCE
    assert not [each for each in gate.came if other_key in each.headers.get("authorization", "")]
