"""`revalida characters`: a folder of pictures to a character, its review, its training, its end."""

import io
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from lambdas import services
from tests.unit.cli.conftest import Cli
from tests.unit.cli.studio import Studio


@pytest.fixture
def signed_puts(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads reach the fake bucket: its signed URLs name hosts that only botocore finds."""

    def put(url: str, *, content: bytes, headers: dict[str, str], timeout: float) -> httpx.Response:
        with studio.lock:
            studio.cloud.put(urlsplit(url).path.lstrip("/"), content)
        return httpx.Response(200)

    monkeypatch.setattr("cli.character_material.httpx.put", put)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Ana"
    made.mkdir()
    for at in range(5):
        picture = io.BytesIO()
        Image.new("RGB", (128, 128), (40 * at, 0, 0)).save(picture, "PNG")
        (made / f"{at}.png").write_bytes(picture.getvalue())
    (made / "0.txt").write_text("zxana at dawn")
    (made / "notes.doc").write_text("not a picture")
    return made


def test_given_a_folder_when_created_then_its_pictures_and_captions_go_along(
    cli: Cli, studio: Studio, folder: Path, signed_puts: None
) -> None:
    options = ("--model", "wan2.2-t2v-a14b", "--steps", "50", "--in-motion", "--json")
    made = cli("characters", "create", folder, *options)

    assert made.code == 0, made.err
    character_id = made.json["id"]
    job = services.store().get(made.json["versions"][0]["video_id"])
    assert job.training is not None
    assert (made.json["name"], made.json["num_images"], job.training.settings.steps) == ("Ana", 5, 50)
    assert job.training.settings.camera_moves["pan_left"] == "the camera pans left"
    assert [each.caption for each in job.training.references] == ["zxana at dawn", None, None, None, None]
    assert character_id in cli("characters", "list").out
    assert "5 images" in cli("characters", "show", character_id).out
    assert "is stopped" in cli("characters", "cancel", character_id).out
    assert cli("characters", "watch", character_id).code == 1
    assert cli("characters", "delete", character_id).code == 0
    assert cli("characters", "show", character_id).code == 3


def test_given_a_file_store_that_is_away_when_created_then_one_line_and_code_7(
    cli: Cli, studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(url: str, **_: object) -> httpx.Response:
        raise httpx.ConnectError("no route")

    monkeypatch.setattr("cli.character_material.httpx.put", put)

    ended = cli("characters", "create", folder, "--model", "wan-mini")

    assert (ended.code, ended.out, ended.err.count("\n")) == (7, "", 1)


def test_given_more_characters_than_a_page_then_all_are_listed(
    cli: Cli, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [
        cli("characters", "create", name, "--describe", "a grey wolf", "--model", "wan-mini", "--json").json["id"]
        for name in ("Lobo", "Alfa", "Beta")
    ]
    monkeypatch.setattr("cli.characters.PAGE", 2)

    listed = cli("characters", "list", "--json").json

    assert [each["id"] for each in listed["data"]] == made[::-1]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (made[-1], made[0], False)


def test_given_words_when_created_then_the_pictures_are_reviewed_before_the_training(cli: Cli, studio: Studio) -> None:
    made = cli("characters", "create", "Lobo", "--describe", "a grey wolf", "--model", "wan-mini", "--json").json
    pictures = [each["id"] for each in cli("characters", "images", made["id"], "--json").json["data"]]
    for job_id in pictures[:5]:
        studio.complete(job_id)
    accepted = [word for job_id in pictures[:5] for word in ("--accept", job_id)]

    reviewed = cli("characters", "review", made["id"], *accepted, "--reject", pictures[5])
    trained = cli("characters", "train", made["id"], "--steps", "20", "--rank", "4", "--json")

    assert len(pictures) == 30
    assert "5 of 30" in reviewed.out
    assert trained.json["versions"][0]["steps"] == 20


@pytest.mark.parametrize(
    "words",
    [("Ana",), ("Ana", "--video", "video_x", "--describe", "a wolf"), ("{empty}",)],
)
def test_given_nothing_to_learn_from_then_code_2(
    cli: Cli, studio: Studio, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "empty").mkdir()
    given = [word.format(empty=tmp_path / "empty") for word in words]

    assert cli("characters", "create", *given).code == 2
