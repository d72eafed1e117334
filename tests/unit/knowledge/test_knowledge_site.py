"""The site builds strictly: no page outside the navigation, no broken link, no missing anchor, no warning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from knowledge.load import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.mark.parametrize(
    "page", ["index.html", "comece-aqui/index.html", "analise-modelos-text-to-video/index.html", "runbook/index.html"]
)
def test_given_the_documents_when_the_site_is_built_then_its_pages_are_there(page: str, site: Path) -> None:
    assert (site / page).is_file()


def test_given_the_built_site_when_searched_then_the_analysis_is_in_the_index(site: Path) -> None:
    assert "analise-modelos-text-to-video" in (site / "search" / "search_index.json").read_text(encoding="utf-8")


def test_given_the_sources_of_the_documents_when_the_site_is_built_then_they_are_not_published(site: Path) -> None:
    assert not list(site.rglob("*.j2"))
    assert not (site / "dados").exists()
