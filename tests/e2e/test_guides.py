"""The code of the guides, run as a reader would run it: copied out, with only address and key filled in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.media import decode
from tests.e2e.studio import Studio
from tests.unit.knowledge.guides import Block, blocks, titled

PRINTED_BASE = "http://127.0.0.1:8080/v1"


def filled_in(text: str, studio: Studio) -> str:
    return text.replace(PRINTED_BASE, studio.api_base).replace("sk-...", studio.api_key)


def environment(studio: Studio) -> dict[str, str]:
    return {**os.environ, "OPENAI_BASE_URL": studio.api_base, "OPENAI_API_KEY": studio.api_key}


def run(command: list[str], studio: Studio, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(studio), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("title", ["first_video.py", "openai_client.py"])
def test_the_sdk_programs_of_the_guides_write_a_video(title: str, studio: Studio, tmp_path: Path) -> None:
    run([sys.executable, "-c", filled_in(titled(title).text, studio)], studio, tmp_path)

    assert len(decode((tmp_path / "video.mp4").read_bytes()).frames) > 1


def test_the_program_with_our_own_fields_is_accepted(studio: Studio, tmp_path: Path) -> None:
    printed = run([sys.executable, "-c", filled_in(titled("more_fields.py").text, studio)], studio, tmp_path)

    assert printed.startswith("video_")


@pytest.mark.parametrize("block", [block for block in blocks("bash") if PRINTED_BASE in block.text], ids=str)
def test_the_curl_commands_of_the_guides_are_answered_without_an_error(
    block: Block, studio: Studio, tmp_path: Path
) -> None:
    script = "\n".join(line for line in block.text.splitlines() if not line.startswith((".venv", "export")))
    printed = run(["bash", "-euo", "pipefail", "-c", filled_in(script, studio)], studio, tmp_path)

    assert '"error": {' not in printed
