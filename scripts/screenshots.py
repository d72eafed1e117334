"""Pictures of the console for docs/console.md, from the running local system: `make screenshots`.

Makes a few videos first where there are none, so that the pages show real work.
"""

import json
import os
import sys
from pathlib import Path

import httpx
from openai import OpenAI
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "img" / "console"
STACK = Path(os.environ.get("REVALIDA_LOCAL_DIR", ROOT / ".local")) / "stack.json"
CHROMIUM = os.environ.get("REVALIDA_CHROMIUM", "/usr/bin/chromium")
PROMPTS = (
    "Um círculo vermelho se move para a direita em um fundo azul",
    "Uma estrela verde se move para cima em um fundo branco",
    "Um quadrado amarelo se move para a esquerda em um fundo preto",
    "Um triângulo azul se move para baixo em um fundo amarelo",
)
DRAWN = """() => [...document.images].every(image => image.complete && image.naturalWidth > 0)
  && [...document.querySelectorAll('video')].every(video => video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA)"""
CSV = """prompt;model;seconds;seed
um círculo vermelho se move para a direita;wan-mini;2;1
uma estrela verde se move para cima;wan-mini;2;2
um quadrado azul gira;wan-mini;900;3
um triângulo amarelo se move para baixo;wan-mini;1;4
"""


def videos(stack: dict[str, str]) -> list[str]:
    """Ids of finished videos, newest first."""
    client = OpenAI(base_url=stack["api_base"], api_key=stack["api_key"])
    done = [video.id for video in client.videos.list() if video.status == "completed"]
    for prompt in PROMPTS[len(done) :]:
        made = client.videos.create_and_poll(model="wan-mini", prompt=prompt, size="128x128", seconds="2")  # type: ignore[arg-type]
        done.insert(0, made.id)
    return done


def opened(browser: Browser, stack: dict[str, str], *, dark: bool = False, phone: bool = False) -> Page:
    context = browser.new_context(
        locale="pt-BR",
        color_scheme="dark" if dark else "light",
        viewport={"width": 390, "height": 844} if phone else {"width": 1440, "height": 900},
        reduced_motion="reduce",
    )
    account = json.dumps([{"name": "Meu estúdio", "key": stack["api_key"], "remembered": False}])
    context.add_init_script(f"sessionStorage['revalida.accounts'] ??= '{account}'")
    context.set_default_timeout(90_000)
    return context.new_page()


def settled(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".waiting")).to_have_count(0, timeout=90_000)


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")  # pictures and players ask for their links first
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(800)  # fonts, and what moves into its place
    page.screenshot(path=FOLDER / f"{name}.png")
    sys.stdout.write(f"{FOLDER.relative_to(ROOT) / name}.png\n")


def create(page: Page, base: str) -> None:
    settled(page, f"{base}/")
    page.get_by_label("Prompt", exact=True).fill(PROMPTS[0])
    expect(page.get_by_test_id("quote")).to_be_visible()
    take(page, "criar")


def shots(page: Page, base: str) -> None:
    settled(page, f"{base}/")
    page.get_by_role("radio", name="Tomadas").click()
    page.get_by_label("Cena", exact=True).fill("Formas simples em um fundo branco")
    for number, prompt in enumerate(PROMPTS[:3], start=1):
        page.get_by_label(f"Tomada {number}", exact=True).fill(prompt)
    expect(page.get_by_test_id("quote")).to_be_visible()
    take(page, "tomadas")


def batch(page: Page, base: str) -> None:
    settled(page, f"{base}/batch")
    page.locator("input[type=file]").set_input_files(
        {"name": "campanha.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    )
    expect(page.get_by_role("button", name="Fazer 3 vídeos")).to_be_enabled()
    take(page, "lote")


def main() -> None:
    stack = json.loads(STACK.read_text(encoding="utf-8"))
    base = stack["console"]
    httpx.get(base, trust_env=False).raise_for_status()
    FOLDER.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=90_000)
    newest, *_ = videos(stack)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = opened(browser, stack)
        create(page, base)
        shots(page, base)
        batch(page, base)
        for name, path in {
            "galeria": "/videos",
            "video": f"/videos/{newest}",
            "frota": "/fleet",
            "personagens": "/characters",
            "chaves": "/keys",
            "webhooks": "/webhooks",
        }.items():
            settled(page, f"{base}{path}")
            take(page, name)
        dark = opened(browser, stack, dark=True)
        settled(dark, f"{base}/videos/{newest}")
        take(dark, "escuro")
        phone = opened(browser, stack, phone=True)
        settled(phone, f"{base}/videos")
        take(phone, "celular")
        browser.close()


if __name__ == "__main__":
    main()
