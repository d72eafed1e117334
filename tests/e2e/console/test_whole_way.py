"""The whole way of a producer: a key, a prompt, a video that plays, a file that decodes."""

from __future__ import annotations

import re
import secrets
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.console.browser import Visit
from tests.e2e.media import decode
from tests.e2e.studio import Studio

PLAYS = """video => new Promise(done => {
  video.ontimeupdate = () => { if (video.currentTime > 0) done(true); };
  video.play();
})"""


def test_given_a_key_and_a_prompt_when_sent_then_the_video_plays_and_its_file_decodes(
    visitor: Callable[..., Visit], studio: Studio, tmp_path: Path
) -> None:
    client, word = studio.openai(), secrets.token_hex(4)
    extra = {"num_frames": 17, "num_inference_steps": 1}
    other = client.videos.create(model="wan-mini", prompt=f"um quadrado azul {word}", size="128x128", extra_body=extra)
    guest = visitor(signed_in=False, locale="pt-BR")
    page = guest.open("/")
    page.get_by_label("Chave da API").fill("sk-not-a-key")
    page.get_by_role("button", name="Entrar").click()
    expect(page.get_by_role("alert")).to_contain_text("Esta chave não é válida")
    page.get_by_label("Chave da API").fill(studio.api_key)
    page.get_by_role("button", name="Entrar").click()

    page.get_by_label("Prompt", exact=True).fill(f"Um círculo vermelho se move para a direita {word}")
    page.get_by_role("radio", name="Wan mini", exact=True).click()
    for name in ("Duração", "Passos de denoising"):
        page.get_by_role("slider", name=name).press("Home")
    page.get_by_role("button", name="Mais opções").click()
    page.get_by_label("flow shift").fill("4.5")
    expect(page.get_by_test_id("quote")).to_contain_text("Cálculo")
    page.get_by_role("button", name="Fazer o vídeo").click()

    expect(page).to_have_url(re.compile(r"/videos/video_"))
    player = page.locator("video")
    expect(player).to_be_visible(timeout=240_000)
    assert player.evaluate(PLAYS)
    expect(page.get_by_role("region", name="O que aconteceu")).to_contain_text("concluída")
    expect(page.get_by_role("region", name="Custo")).to_contain_text("Denoising")
    expect(page.get_by_role("region", name="Pedido")).to_contain_text("Deslocamento do ruído (flow shift)4,5")

    with page.expect_download() as download:
        page.get_by_role("button", name="Baixar").click()
    download.value.save_as(tmp_path / "video.mp4")
    clip = decode(tmp_path / "video.mp4")
    assert (clip.size, len(clip.frames)) == ("128x128", 17)

    # Both videos in the gallery: stills, a preview under the pointer, one ZIP of all, and deleted in the end.
    assert client.videos.poll(other.id).status == "completed"
    page.get_by_role("link", name="Galeria").last.click()
    card = page.get_by_role("article").first
    expect(card.locator("img").last).to_have_js_property("complete", True)
    card.hover()
    expect(card.get_by_test_id("spritesheet")).to_be_visible()
    page.get_by_role("searchbox").fill(word)
    page.get_by_label("Estado").select_option("completed")
    expect(page.get_by_role("article")).to_have_count(2)
    for number in range(2):
        page.get_by_role("article").nth(number).get_by_role("checkbox").check()
    toolbar = page.get_by_role("toolbar")
    with page.expect_download() as packed:
        toolbar.get_by_role("button", name="Baixar").click()
    with zipfile.ZipFile(packed.value.path()) as archive:
        assert {len(decode(archive.read(name)).frames) for name in archive.namelist()} == {17}
        assert len(archive.namelist()) == 2
    toolbar.get_by_role("button", name="Excluir").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Excluir").click()
    expect(page.get_by_text("2 vídeos foram excluídos.")).to_be_visible()
