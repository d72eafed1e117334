"""Keys, webhooks and characters: made, tested, watched, taken back."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.console.browser import Visit
from tests.e2e.studio import Studio
from tests.e2e.test_characters import asked_for, until
from tests.receiver import Receiver

Visitors = Callable[..., Visit]


def test_given_a_new_key_then_it_is_shown_once_works_and_is_revoked(visitor: Visitors, studio: Studio) -> None:
    page = visitor().open("/keys")
    page.get_by_role("button", name="New key").click()
    name = f"render farm {secrets.token_hex(3)}"
    page.get_by_label("Name").fill(name)
    page.get_by_label("US$ a month").fill("25")
    page.get_by_role("dialog").get_by_role("button", name="New key").click()
    secret = page.get_by_test_id("secret").inner_text()
    assert _status(studio, secret) == 200
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_test_id("secret")).to_be_hidden()
    row = page.get_by_role("main").get_by_role("listitem").filter(has_text=name)
    expect(row).to_contain_text("$25.00 a month")
    row.get_by_role("button", name="Usage").click()
    expect(row).to_contain_text("Videos today")

    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()

    expect(row).to_contain_text("Revoked")
    assert _status(studio, secret) == 401


def _status(studio: Studio, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{studio.api_base}/videos", headers=headers, timeout=60, trust_env=False).status_code


def test_given_a_tenant_who_leaves_when_another_enters_then_nothing_of_the_first_is_shown(
    visitor: Visitors, studio: Studio, other_key: str
) -> None:
    word = secrets.token_hex(4)
    client = studio.openai()
    video = client.videos.create(model="wan-mini", prompt=f"a red circle {word}", size="128x128", seconds="2")
    page = visitor().open("/videos")
    expect(page.get_by_role("article").filter(has_text=word)).to_be_visible()
    page.get_by_role("link", name="Create").click()
    prompt = page.get_by_label("Prompt", exact=True)
    prompt.fill(f"a blue square {word}")

    page.get_by_role("button", name="Tenant: Studio").click()
    page.get_by_role("menuitem", name="Forget this key").click()
    page.get_by_label("API key").fill(other_key)
    page.get_by_role("button", name="Enter").click()

    page.get_by_role("link", name="Gallery").click()
    expect(page.get_by_text("No video yet")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(0)
    page.get_by_role("link", name="Create").first.click()
    expect(prompt).to_have_value("")
    client.videos.delete(video.id)


def test_given_keys_on_the_page_when_another_tenant_is_looked_at_then_they_go_and_come_back(
    visitor: Visitors, other_key: str
) -> None:
    page = visitor().open("/keys")
    rows = page.get_by_role("main").get_by_role("listitem")
    refused = page.get_by_role("main").get_by_role("alert")
    expect(rows.first).to_be_visible()

    page.get_by_role("button", name="Tenant: Studio").click()
    page.get_by_role("menuitem", name="Add a tenant's key").click()
    page.get_by_label("API key").fill(other_key)
    page.get_by_label("Name of this access").fill("Other")
    page.get_by_role("button", name="Enter").click()
    expect(refused).to_be_visible()
    expect(rows).to_have_count(0)

    page.get_by_role("button", name="Tenant: Other").click()
    page.get_by_role("menuitemradio", name="Studio").click()
    expect(rows.first).to_be_visible()
    expect(refused).to_have_count(0)


def test_given_a_receiver_when_a_webhook_is_made_then_its_test_is_answered_and_it_can_go(
    visitor: Visitors, receiver: Receiver, other_admin_key: str
) -> None:
    page = visitor(key=other_admin_key).open("/webhooks")
    page.get_by_role("button", name="New webhook").click()
    receiver.answers = [204]
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_label("Name").fill("editor")
    page.get_by_role("dialog").get_by_role("button", name="New webhook").click()
    expect(page.get_by_test_id("secret")).to_contain_text("whsec_")
    page.get_by_role("button", name="I have kept it").click()
    card = page.get_by_role("main").get_by_role("listitem").filter(has_text="editor")
    card.get_by_role("button", name="Test").click()
    expect(page.get_by_text("The receiver answered 204.")).to_be_visible()
    card.get_by_role("button", name="Deliveries").click()
    expect(card.get_by_text("Nothing has been delivered yet.")).to_be_visible()

    card.get_by_role("button", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()

    expect(card).to_have_count(0)


def test_given_pictures_when_a_character_is_made_then_it_is_watched_and_can_be_deleted(
    visitor: Visitors, tmp_path: Path
) -> None:
    files = []
    for number, colour in enumerate(("red", "green", "blue", "yellow", "white", "black")):
        file = tmp_path / f"{colour}.png"
        image = Image.effect_noise((256, 256), 40 + 10 * number).convert("RGB")
        image.paste(colour, (64, 64, 192, 192))
        content = io.BytesIO()
        image.save(content, "PNG")
        file.write_bytes(content.getvalue())
        files.append(file)
    page = visitor().open("/characters")
    page.get_by_role("button", name="New character").click()
    page.get_by_label("Name").fill("Ana")
    page.locator("input[type=file]").set_input_files(files)
    page.get_by_role("checkbox", name="Learn it in motion").click()
    with page.expect_request(lambda sent: sent.method == "POST" and sent.url.endswith("/videos/characters")) as made:
        page.get_by_role("dialog").get_by_role("button", name="New character").click()
    assert json.loads(made.value.post_data or "")["training"] == {"camera_moves": "standard"}
    card = page.get_by_role("main").get_by_role("listitem").filter(has_text="Ana")
    expect(card).to_contain_text("from 6 pictures")

    card.get_by_role("button", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()

    expect(card).to_have_count(0)


def test_given_a_character_then_it_can_be_cast_in_its_model_and_in_the_one_that_takes_its_loras(
    visitor: Visitors, studio: Studio
) -> None:
    name = f"Quadrada {secrets.token_hex(3)}"
    with studio.http() as client:
        made = client.post("/videos/characters", json=asked_for(name)).raise_for_status().json()
        lora = until(lambda: client.get(f"/videos/characters/{made['id']}"), "ready")["lora"]
    page = visitor().open("/")
    page.get_by_label("Prompt", exact=True).fill("a zxquad moving left")
    page.get_by_role("radio", name="Wan mini", exact=True).click()
    expect(page.get_by_role("checkbox", name=name)).to_be_visible()
    page.get_by_role("radio", name="HoloCine mini (full attention)", exact=True).click()
    expect(page.get_by_role("radio", name="Wan mini", exact=True)).not_to_be_checked()
    expect(page.get_by_role("checkbox", name=name)).to_have_count(0)
    page.get_by_role("radio", name="Wan mini", exact=True).click()
    page.get_by_role("checkbox", name=name).click()
    page.get_by_role("radio", name="Wan mini, four steps", exact=True).click()
    expect(page.get_by_role("checkbox", name=name)).to_be_checked()

    with page.expect_request(lambda sent: sent.method == "POST" and sent.url.endswith("/videos")) as sent:
        page.get_by_role("button", name="Make the video").click()

    asked = json.loads(sent.value.post_data or "")
    assert (asked["model"], asked["loras"]) == ("wan-mini-4step", [{"name": lora, "scale": 1}])
    expect(page.locator("video")).to_be_visible(timeout=240_000)  # the fleet makes it
    with studio.http() as client:
        client.delete(f"/videos/characters/{made['id']}").raise_for_status()
