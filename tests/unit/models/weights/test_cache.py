"""The worker's half: fetched in ranges, once a machine, resumed after a kill, verified; what is bad is cleaned up."""

import errno
import hashlib
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from models import catalog, registry
from models.interface import WeightsError
from models.weights import download as downloads
from models.weights.bucket import WeightsBucket
from models.weights.cache import WeightsCache, fetched_models
from models.weights.errors import DiskFull, WeightsUnavailable
from models.weights.manifest import FileEntry, Manifest
from models.weights.origins import FolderOrigin
from models.weights.pull import pull
from tests.unit.models.weights.support import BUCKET, ROOT, SPEC, as_published, client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).parents[4]
FOUR_STEPS = as_published(catalog.get(f"{SPEC.id}-4step"))
RANGE_BYTES = 20_000
TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fetched(weights_dir: Path, bucket: WeightsBucket) -> Path:
    folder = WeightsCache(weights_dir, bucket).folder_of(SPEC)
    assert folder is not None
    return folder


def left_behind(weights_dir: Path) -> list[str]:
    """What a failed fetch leaves below the folder, beside the lock."""
    return sorted(path.name for path in (weights_dir / "fetched" / SPEC.id).iterdir())


def wait_for_the_next_second() -> None:
    """S3 tells when an object was written in whole seconds: what is written next is newer than all that is there."""
    time.sleep(1.0 - time.time() % 1.0)


def key_of(manifest: Manifest, path: str) -> str:
    return f"{ROOT}{manifest.model}/{manifest.revision}/{path}"


def noting(read_range: Callable[..., None], read: list[str]) -> Callable[..., None]:
    """`read_range` that notes the paths it is asked for."""

    def noted(model: str, revision: str, path: str, **others: Any) -> None:
        read.append(path)
        read_range(model, revision, path, **others)

    return noted


def worker(endpoint: str, weights_dir: Path, *, die_after: int = 0) -> "subprocess.Popen[str]":
    module = "tests.unit.models.weights.fetch_worker"
    arguments = [endpoint, str(weights_dir), str(RANGE_BYTES), str(die_after)]
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def ranges_of(process: "subprocess.Popen[str]") -> int:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return int(json.loads(output)["ranges"])


def test_given_weights_in_the_bucket_when_fetched_then_they_are_the_published_ones_and_the_model_opens(
    published: Path, tmp_path: Path, bucket: WeightsBucket, pulled: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "RANGE_BYTES", RANGE_BYTES)

    folder = fetched(tmp_path, bucket)

    found = contents(folder)
    assert Manifest.model_validate_json(found.pop("manifest.json")) == pulled
    assert found == contents(published)
    assert fetched_models(tmp_path) == {SPEC.id}
    registry.load(SPEC.id, weights_dir=folder).unload()


def test_given_a_worker_killed_in_a_range_when_fetched_again_then_only_what_is_missing_comes(
    published: Path, endpoint: str, tmp_path: Path, pulled: Manifest
) -> None:
    in_all = sum(math.ceil(file.bytes / RANGE_BYTES) for file in pulled.files)
    first = worker(endpoint, tmp_path, die_after=in_all // 2)
    first.communicate(timeout=120)
    assert first.returncode == -signal.SIGKILL
    assert fetched_models(tmp_path) == frozenset(), "half a model is not offered"

    second = ranges_of(worker(endpoint, tmp_path))

    # Of the killed worker's ranges those count that were noted: all but the at most 4 that were under way.
    assert in_all - in_all // 2 <= second <= in_all - in_all // 2 + 4
    found = contents(tmp_path / "fetched" / SPEC.id / pulled.revision)
    del found["manifest.json"]
    assert found == contents(published)


def pull_of_four_steps(folder: Path, bucket: WeightsBucket) -> Manifest:
    """The same weights with LoRAs, as another model."""
    loras = folder / FOUR_STEPS.fused_loras[0].file
    loras.parent.mkdir(parents=True, exist_ok=True)
    for lora in FOUR_STEPS.fused_loras:
        save_file({f"{lora.expert}.lora_A": torch.zeros(2, 3)}, folder / lora.file)
    return pull(FOUR_STEPS, FolderOrigin(folder), bucket, on_file=lambda file: None)


def test_given_a_relative_on_the_disk_when_fetched_then_only_what_it_has_not_comes(
    published: Path, tmp_path: Path, bucket: WeightsBucket, pulled: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(published, tmp_path / "four-steps")
    manifest = pull_of_four_steps(tmp_path / "four-steps", bucket)
    base = fetched(tmp_path, bucket)
    read: list[str] = []
    monkeypatch.setattr(bucket, "read_range", noting(bucket.read_range, read))

    folder = WeightsCache(tmp_path, bucket).folder_of(FOUR_STEPS)

    assert folder is not None
    assert sorted(set(read)) == sorted(lora.file for lora in FOUR_STEPS.fused_loras)
    assert (folder / TRANSFORMER).samefile(base / TRANSFORMER), "on the disk once"
    assert {name: len(content) for name, content in contents(folder).items() if name != "manifest.json"} == {
        file.path: file.bytes for file in manifest.files
    }
    assert pulled.files[0] in manifest.files


def test_given_a_relative_gone_bad_on_the_disk_when_fetched_then_it_is_given_up_and_the_next_try_works(
    published: Path, tmp_path: Path, bucket: WeightsBucket, pulled: Manifest
) -> None:
    shutil.copytree(published, tmp_path / "four-steps")
    pull_of_four_steps(tmp_path / "four-steps", bucket)
    bad = fetched(tmp_path, bucket) / TRANSFORMER
    content = bad.read_bytes()
    bad.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    cache = WeightsCache(tmp_path, bucket)

    with pytest.raises(WeightsError, match="SHA-256"):
        cache.folder_of(FOUR_STEPS)

    folder = cache.folder_of(FOUR_STEPS)
    assert folder is not None
    assert (folder / TRANSFORMER).read_bytes() == content
    assert (fetched(tmp_path, bucket) / TRANSFORMER).read_bytes() == content, "the base is whole again too"
    assert pulled.model == SPEC.id


def test_given_two_workers_at_once_then_they_share_one_download(
    endpoint: str, tmp_path: Path, pulled: Manifest
) -> None:
    both = [worker(endpoint, tmp_path), worker(endpoint, tmp_path)]

    ranges = sorted(ranges_of(process) for process in both)

    assert ranges == [0, sum(math.ceil(file.bytes / RANGE_BYTES) for file in pulled.files)]


def test_given_another_content_in_the_bucket_then_the_file_is_named_and_nothing_is_left(
    tmp_path: Path, s3: "S3Client", bucket: WeightsBucket, pulled: Manifest
) -> None:
    key = key_of(pulled, TRANSFORMER)
    right = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=key, Body=right[:-1] + bytes([right[-1] ^ 1]))

    with pytest.raises(WeightsError, match="SHA-256") as refused:
        fetched(tmp_path, bucket)

    assert refused.value.file == Path(TRANSFORMER)
    assert left_behind(tmp_path) == []
    s3.put_object(Bucket=BUCKET, Key=key, Body=right)
    assert (fetched(tmp_path, bucket) / TRANSFORMER).read_bytes() == right, "once it is put right, it works"


@pytest.mark.parametrize("path", ["vae/model.bin", "../outside.json", "/etc/passwd", ""])
def test_given_a_manifest_with_a_refused_path_then_nothing_is_fetched(
    path: str, tmp_path: Path, s3: "S3Client", bucket: WeightsBucket, pulled: Manifest
) -> None:
    forged = json.loads(pulled.model_dump_json())
    forged["files"][0]["path"] = path
    s3.put_object(Bucket=BUCKET, Key=key_of(pulled, "manifest.json"), Body=json.dumps(forged).encode())

    with pytest.raises(WeightsError, match="not a usable manifest"):
        fetched(tmp_path, bucket)

    assert left_behind(tmp_path) == []


def test_given_a_pickle_that_is_in_the_manifest_under_another_name_then_it_is_refused_and_nothing_is_left(
    tmp_path: Path, pulled: Manifest
) -> None:
    pickle = b"\x80\x04K\x01."
    target = tmp_path / "partial"
    file = FileEntry(path="x.json", bytes=len(pickle), sha256=hashlib.sha256(pickle).hexdigest())

    with pytest.raises(WeightsError, match="pickle"):
        downloads.download(
            pulled.model_copy(update={"files": (file,)}),
            lambda path, start, length, write: write(pickle, start),
            target,
        )

    assert not target.exists()


def test_given_a_file_that_vanished_from_the_bucket_then_that_is_said_and_the_rest_is_kept_for_the_next_try(
    tmp_path: Path, s3: "S3Client", bucket: WeightsBucket, pulled: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PAUSE_S", 0.0)
    key = key_of(pulled, TRANSFORMER)
    right = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.delete_object(Bucket=BUCKET, Key=key)

    with pytest.raises(WeightsUnavailable, match=TRANSFORMER):
        fetched(tmp_path, bucket)

    assert fetched_models(tmp_path) == frozenset()
    assert left_behind(tmp_path) == [f"{pulled.revision}.partial"]
    s3.put_object(Bucket=BUCKET, Key=key, Body=right)
    assert (fetched(tmp_path, bucket) / TRANSFORMER).read_bytes() == right
    assert left_behind(tmp_path) == [pulled.revision]


@pytest.mark.parametrize("size", [lambda folder: 2**60, lambda folder: shutil.disk_usage(folder).free])
def test_given_more_than_the_disk_holds_then_that_is_said_before_anything_is_fetched(
    size: Callable[[Path], int], tmp_path: Path, pulled: Manifest
) -> None:
    huge = pulled.files[0].model_copy(update={"bytes": size(tmp_path)})
    asked: list[str] = []

    with pytest.raises(DiskFull, match="do not fit") as refused:
        downloads.download(
            pulled.model_copy(update={"files": (huge,)}),
            lambda path, start, length, write: asked.append(path),
            tmp_path / "partial",
        )

    assert refused.value.errno == errno.ENOSPC
    assert asked == []
    assert not (tmp_path / "partial").exists()


def test_given_a_disk_that_fills_up_on_the_way_then_that_is_said_and_nothing_is_left(
    tmp_path: Path, pulled: Manifest
) -> None:
    def full(path: str, start: int, length: int, write: Callable[[bytes, int], None]) -> None:
        write(b"some", start)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull, match="do not fit"):
        downloads.download(pulled, full, tmp_path / "partial")

    assert not (tmp_path / "partial").exists()


def test_given_a_connection_that_breaks_now_and_then_then_the_ranges_are_tried_again(
    published: Path, tmp_path: Path, bucket: WeightsBucket, pulled: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "PAUSE_S", 0.0)
    broken: set[tuple[str, int]] = set()

    def flaky(path: str, start: int, length: int, write: Callable[[bytes, int], None]) -> None:
        if (path, start) not in broken:
            broken.add((path, start))
            write(b"?" * min(7, length), start)
            raise WeightsUnavailable("reset by peer")
        bucket.read_range(pulled.model, pulled.revision, path, start=start, length=length, write=write)

    downloads.download(pulled, flaky, tmp_path / "partial")

    found = contents(tmp_path / "partial")
    del found["manifest.json"]
    assert found == contents(published)


def test_given_no_weights_in_the_bucket_then_the_command_that_brings_them_is_named(
    tmp_path: Path, bucket: WeightsBucket
) -> None:
    with pytest.raises(WeightsUnavailable, match=f"revalida weights pull {SPEC.id}"):
        fetched(tmp_path, bucket)


def test_given_a_fetched_copy_when_the_bucket_does_not_answer_then_the_copy_is_used(
    tmp_path: Path, bucket: WeightsBucket, pulled: Manifest
) -> None:
    folder = fetched(tmp_path, bucket)
    nobody = WeightsBucket(client("http://127.0.0.1:9"), BUCKET, root=ROOT)

    assert fetched(tmp_path, nobody) == folder


def test_given_a_fetched_copy_that_lost_a_byte_then_it_is_fetched_again(
    tmp_path: Path, bucket: WeightsBucket, pulled: Manifest
) -> None:
    path = fetched(tmp_path, bucket) / TRANSFORMER
    right = path.read_bytes()
    path.write_bytes(right[:-1])

    assert (fetched(tmp_path, bucket) / TRANSFORMER).read_bytes() == right


def test_given_a_link_to_a_copy_on_the_image_that_is_not_whole_then_it_is_fetched(
    tmp_path: Path, bucket: WeightsBucket, pulled: Manifest
) -> None:
    folder = fetched(tmp_path / "elsewhere", bucket)
    (folder / TRANSFORMER).unlink()
    link = tmp_path / "fetched" / SPEC.id / folder.name
    link.parent.mkdir(parents=True)
    link.symlink_to(folder)

    assert (fetched(tmp_path, bucket) / TRANSFORMER).is_file()
    assert not link.is_symlink()
    assert not (folder / TRANSFORMER).exists()  # the image's copy is left as it is


def test_given_a_newer_pull_then_workers_take_it(
    published: Path, tmp_path: Path, bucket: WeightsBucket, pulled: Manifest
) -> None:
    old = fetched(tmp_path / "disk", bucket)
    changed = tmp_path / "changed"
    shutil.copytree(published, changed)
    (changed / "tokenizer" / "tokenizer_config.json").write_text('{"model_max_length": 512}')
    wait_for_the_next_second()
    newer = pull(SPEC, FolderOrigin(changed), bucket, on_file=lambda file: None)

    new = fetched(tmp_path / "disk", bucket)

    assert (old.name, new.name) == (pulled.revision, newer.revision)


def test_given_files_put_there_by_hand_or_shipped_then_the_bucket_is_not_asked(tmp_path: Path) -> None:
    nobody = WeightsBucket(client("http://127.0.0.1:9"), BUCKET, root=ROOT)
    (tmp_path / SPEC.id).mkdir()
    cache = WeightsCache(tmp_path, nobody)

    assert cache.folder_of(SPEC) == tmp_path / SPEC.id
    assert cache.folder_of(catalog.get("wan-mini")) is None
