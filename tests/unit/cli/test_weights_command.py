"""`revalida weights`: from a folder into the bucket, and what is in it."""

import shutil
from pathlib import Path

import pytest

from models import tiny
from tests.unit.cli.conftest import Cli
from tests.unit.cli.studio import Studio

MODEL = "wan2.2-t2v-a14b"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    tiny.wan(folder, two_experts=True)
    return folder


def test_given_a_folder_when_pulled_then_it_is_listed_and_the_licence_was_told(
    cli: Cli, studio: Studio, published: Path
) -> None:
    done = cli("weights", "pull", MODEL, "--from", str(published))

    assert done.code == 0, done.err
    assert "Apache" in done.err
    assert "within a minute, running ones too" in " ".join(done.out.split())
    (listed,) = cli("weights", "list", "--json").json["data"]
    assert listed["model"] == MODEL
    assert listed["revision"] in done.out


def test_given_a_folder_with_a_pickle_when_pulled_then_one_line_names_it_and_nothing_is_listed(
    cli: Cli, studio: Studio, published: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(published, folder)
    (folder / "vae" / "model.bin").write_bytes(b"\x80\x04K\x01.")

    refused = cli("weights", "pull", "wan2.2-i2v-a14b", "--from", str(folder))

    assert refused.code == 5
    assert "vae/model.bin" in refused.err
    assert "wan2.2-i2v-a14b" not in cli("weights", "list").out


@pytest.mark.parametrize(("model", "code", "told"), [("nope", 3, "nope"), ("wan-mini", 2, "shipped with the code")])
def test_given_a_model_that_cannot_be_pulled_then_that_is_said(
    model: str, code: int, told: str, cli: Cli, studio: Studio
) -> None:
    refused = cli("weights", "pull", model)

    assert refused.code == code
    assert told in refused.err
