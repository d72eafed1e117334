"""The operator's pull: what comes into the bucket, what is refused, and how it goes on after it was cut short."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from models import catalog
from models.catalog import ModelSpec, WeightsSource
from models.interface import WeightsError
from models.tiny.holocine import holocine
from models.weights.bucket import WeightsBucket
from models.weights.manifest import Manifest, sha256_of
from models.weights.origins import FolderOrigin
from models.weights.pull import PulledFile, pull
from tests.unit.models.weights.support import BUCKET, ROOT, ROUNDED, SPEC

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Cut(Exception):
    """The operator's machine goes away."""


class CutOrigin(FolderOrigin):
    """A folder that can be read `reads` times."""

    def __init__(self, folder: Path, reads: int) -> None:
        super().__init__(folder)
        self.reads = reads

    def content(self, source: WeightsSource, commit: str | None, path: str) -> AbstractContextManager[Path]:
        self.reads -= 1
        if self.reads < 0:
            raise Cut
        return super().content(source, commit, path)


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "copied"
    shutil.copytree(published, copied)
    return copied


def pull_from(folder: Path, bucket: WeightsBucket, told: Callable[[PulledFile], None] = lambda file: None) -> Manifest:
    return pull(SPEC, FolderOrigin(folder), bucket, on_file=told)


def refusal(folder: Path, bucket: WeightsBucket) -> str:
    with pytest.raises(WeightsError) as refused:
        pull_from(folder, bucket)
    assert bucket.stored() == [], "a refused pull is offered to nobody"
    return str(refused.value)


def test_given_a_folder_when_pulled_then_the_manifest_tells_each_file_s_size_and_digest(
    published: Path, bucket: WeightsBucket, pulled: Manifest
) -> None:
    (stored,) = bucket.stored()

    assert (stored.model, stored.revision) == (SPEC.id, pulled.revision)
    assert bucket.manifest(SPEC.id, stored.revision) == pulled
    assert {file.path: (file.bytes, file.sha256) for file in pulled.files} == {
        path.relative_to(published).as_posix(): (path.stat().st_size, sha256_of(path))
        for path in published.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("spec", [SPEC, ROUNDED], ids=["as published", "rounded"])
def test_given_the_same_files_when_pulled_again_then_nothing_is_sent_and_the_revision_is_the_same(
    published: Path, bucket: WeightsBucket, spec: ModelSpec
) -> None:
    told: list[PulledFile] = []
    pulled = pull(spec, FolderOrigin(published), bucket, on_file=lambda file: None)

    assert pull(spec, FolderOrigin(published), bucket, on_file=told.append) == pulled
    assert told
    assert not any(file.sent for file in told)


@pytest.mark.parametrize("spec", [SPEC, ROUNDED], ids=["as published", "rounded"])
def test_given_files_of_another_model_in_the_bucket_when_pulled_then_they_are_copied_there_and_not_sent(
    published: Path, bucket: WeightsBucket, spec: ModelSpec
) -> None:
    pulled = pull(spec, FolderOrigin(published), bucket, on_file=lambda file: None)
    relative = spec.model_copy(update={"id": "relative"})
    told: list[PulledFile] = []

    manifest = pull(relative, FolderOrigin(published), bucket, on_file=told.append)

    assert not any(file.sent for file in told)
    assert manifest.files == pulled.files
    assert all(bucket.has("relative", manifest.revision, file) for file in manifest.files)


def test_given_a_whole_set_that_lost_a_file_when_pulled_again_then_that_file_is_sent(
    published: Path, bucket: WeightsBucket, s3: "S3Client", pulled: Manifest
) -> None:
    lost = pulled.files[0]
    s3.delete_object(Bucket=BUCKET, Key=f"{ROOT}{SPEC.id}/{pulled.revision}/{lost.path}")
    told: list[PulledFile] = []

    assert pull_from(published, bucket, told.append) == pulled

    assert [file.path for file in told if file.sent] == [lost.path]
    assert bucket.has(SPEC.id, pulled.revision, lost)


def test_given_another_model_s_file_that_is_not_what_its_manifest_says_when_pulled_then_it_is_sent_and_not_copied(
    published: Path, bucket: WeightsBucket, s3: "S3Client", pulled: Manifest
) -> None:
    bad = pulled.files[0]
    s3.put_object(Bucket=BUCKET, Key=f"{ROOT}{SPEC.id}/{pulled.revision}/{bad.path}", Body=b"something else")
    told: list[PulledFile] = []

    pull(SPEC.model_copy(update={"id": "relative"}), FolderOrigin(published), bucket, on_file=told.append)

    assert [file.path for file in told if file.sent] == [bad.path]


def test_given_a_changed_file_when_pulled_then_it_is_a_revision_of_its_own(
    folder: Path, bucket: WeightsBucket, pulled: Manifest
) -> None:
    (folder / "tokenizer" / "tokenizer_config.json").write_text("{}")

    changed = pull_from(folder, bucket)

    assert {found.revision for found in bucket.stored(SPEC.id)} == {pulled.revision, changed.revision}


def test_given_a_pull_that_was_cut_short_when_pulled_again_then_it_is_offered_only_then_and_goes_on(
    published: Path, bucket: WeightsBucket
) -> None:
    files = sum(path.is_file() for path in published.rglob("*"))
    with pytest.raises(Cut):
        pull(SPEC, CutOrigin(published, reads=files + 3), bucket, on_file=lambda file: None)
    assert bucket.stored() == []
    told: list[PulledFile] = []

    pull_from(published, bucket, told.append)

    assert [file.sent for file in told] == [False] * 3 + [True] * (files - 3)
    assert len(bucket.stored()) == 1


def test_given_two_sources_when_pulled_from_one_folder_then_both_are_taken_and_the_base_s_experts_are_not(
    tmp_path: Path, bucket: WeightsBucket
) -> None:
    holocine(tmp_path)
    stray = tmp_path / "transformer" / "diffusion_pytorch_model.safetensors"
    stray.write_bytes(b"Wan's expert, which HoloCine replaces")

    manifest = pull(catalog.get("holocine-14b"), FolderOrigin(tmp_path), bucket, on_file=lambda file: None)

    paths = {file.path for file in manifest.files}
    assert "HoloCine_dit/full/full_low_noise.safetensors" in paths
    assert "transformer_2/config.json" in paths
    assert stray.relative_to(tmp_path).as_posix() not in paths
    assert [origin.name for origin in manifest.origins] == [
        "hlwang06/HoloCine",
        "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    ]


@pytest.mark.parametrize("part", ["transformer_2", "vae", "tokenizer", "model_index.json"])
def test_given_a_missing_part_then_it_is_named(part: str, folder: Path, bucket: WeightsBucket) -> None:
    path = folder / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert f"no file {part}" in refusal(folder, bucket)


def test_given_a_missing_shard_then_it_is_named(folder: Path, bucket: WeightsBucket) -> None:
    index = {"weight_map": {"a": "diffusion_pytorch_model.safetensors", "b": "second.safetensors"}}
    (folder / "transformer" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))

    assert "transformer/second.safetensors: missing" in refusal(folder, bucket)


@pytest.mark.parametrize("name", ["vae/model.bin", "transformer/model.pt"])
def test_given_a_pickle_then_it_is_refused_by_name(name: str, folder: Path, bucket: WeightsBucket) -> None:
    (folder / name).write_bytes(b"\x80\x04K\x01.")

    assert name in refusal(folder, bucket)


@pytest.mark.parametrize("beginning", [b"\x80\x04K\x01.", b"PK\x03\x04"])
def test_given_a_pickle_under_another_name_then_it_is_refused(
    beginning: bytes, folder: Path, bucket: WeightsBucket
) -> None:
    (folder / "tokenizer" / "added_tokens.json").write_bytes(beginning)

    assert "pickle" in refusal(folder, bucket)


def test_given_a_truncated_file_then_it_is_named(folder: Path, bucket: WeightsBucket) -> None:
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])

    assert "vae/diffusion_pytorch_model.safetensors" in refusal(folder, bucket)


def test_given_no_such_folder_then_that_is_said(tmp_path: Path, bucket: WeightsBucket) -> None:
    assert "no such folder" in refusal(tmp_path / "nowhere", bucket)
