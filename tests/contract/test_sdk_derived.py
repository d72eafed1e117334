"""What is made of videos, by the unmodified `openai` SDK: remixes, extensions, edits, characters, and uploads."""

from typing import Any

import httpx
import openai
import pytest

from tests.contract.conftest import FILM, GOOD, Studio, finished, png


def test_given_a_finished_video_when_remixed_then_its_id_is_told(studio: Studio, client: openai.OpenAI) -> None:
    source = finished(studio, client, seconds="1")

    remix = client.videos.remix(source.id, prompt="a green square")

    assert (remix.remixed_from_video_id, remix.prompt, remix.seconds, remix.size) == (
        source.id,
        "a green square",
        "1",
        "128x128",
    )


def source_fields(studio: Studio, client: openai.OpenAI, given: str) -> dict[str, Any]:
    """A video by reference or as a file. The SDK's own `video={"id": ...}` raises before it sends anything."""
    if given == "file":
        return {"video": ("a.mp4", FILM, "video/mp4")}
    return {"video": openai.omit, "extra_body": {"video": {"id": finished(studio, client).id}}}


@pytest.mark.parametrize("given", ["reference", "file"])
def test_given_a_video_when_extended_then_the_stitched_length(
    studio: Studio, client: openai.OpenAI, given: str
) -> None:
    fields = {**source_fields(studio, client, given), "seconds": "1"}

    extension = client.videos.extend(prompt="it stops", **fields)

    assert (extension.seconds, extension.model, extension.status) == ("3", "wan-mini-i2v", "queued")


@pytest.mark.parametrize("given", ["reference", "file"])
def test_given_a_video_when_edited_then_a_new_one_of_the_same_length(
    studio: Studio, client: openai.OpenAI, given: str
) -> None:
    edit = client.videos.edit(prompt="in blue", **source_fields(studio, client, given))

    assert (edit.seconds, edit.prompt, edit.model) == ("2", "in blue", "wan-mini-i2v")


def test_given_a_video_when_a_character_is_made_of_it_then_it_can_be_looked_up(client: openai.OpenAI) -> None:
    made = client.videos.create_character(name="Dona Flor", video=("a.mp4", FILM, "video/mp4"))

    found = client.videos.get_character(made.id or "")

    assert (found.id, found.name, found.created_at) == (made.id, "Dona Flor", made.created_at)
    assert found.model_extra is not None
    assert found.model_extra["status"] == "queued"


def test_given_an_upload_then_the_sdks_call_leads_to_a_url_that_takes_the_file(client: openai.OpenAI) -> None:
    data = png()
    upload = client.uploads.create(bytes=len(data), filename="a.png", mime_type="image/png", purpose="vision")
    extra = upload.model_extra or {}

    put = httpx.put(extra["url"], content=data, headers=extra["headers"])
    video = client.videos.create(**{**GOOD, "model": "wan-mini-i2v"}, extra_body={"image": upload.id})

    assert put.status_code == 200, put.text
    assert (video.model_extra or {})["has_image"] is True
