"""A file of requests: read, priced, its wrong row named in its place, sent once, followed to the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio

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
