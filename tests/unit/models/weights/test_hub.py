"""A pull from the Hub, as its client sees one: a small server that speaks the endpoints `huggingface_hub` asks."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.interface import WeightsError
from models.weights.bucket import WeightsBucket
from models.weights.errors import WeightsUnavailable
from models.weights.origins import HubOrigin
from models.weights.pull import PulledFile, pull
from tests.unit.models.weights.support import ROUNDED, SPEC

REPO, COMMIT = SPEC.weights.repo, SPEC.weights.revision


class FakeHub(ThreadingHTTPServer):
    """Serves one folder as `REPO` at `COMMIT`; large files are LFS files, whose digest is told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.downloaded: list[str] = []
        self.replaced: dict[str, bytes] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def content(self, path: str) -> bytes:
        return self.replaced.get(path) or (self.folder / path).read_bytes()


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        if self.path.startswith(f"/api/models/{REPO}/revision/{COMMIT}"):
            self._answer(200, json.dumps(self._info()).encode(), {"Content-Type": "application/json"})
        elif self.path.startswith(f"/{REPO}/resolve/{COMMIT}/"):
            self._file(send=True)
        else:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def do_HEAD(self) -> None:
        self._file(send=False)

    def log_message(self, *arguments: object) -> None:
        """The test's output is not a server's log."""

    def _file(self, *, send: bool) -> None:
        path = self.path.removeprefix(f"/{REPO}/resolve/{COMMIT}/")
        content = self.server.content(path)
        if send:
            self.server.downloaded.append(path)
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        self._answer(200, content, headers, with_body=send)

    def _info(self) -> dict[str, object]:
        paths = sorted(path for path in self.server.folder.rglob("*") if path.is_file())
        return {"id": REPO, "sha": COMMIT, "siblings": [self._sibling(path) for path in paths]}

    def _sibling(self, path: Path) -> dict[str, object]:
        content = path.read_bytes()
        told: dict[str, object] = {"rfilename": path.relative_to(self.server.folder).as_posix(), "size": len(content)}
        if path.suffix == ".safetensors":
            told["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        return told

    def _answer(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    server = FakeHub(published)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_given_a_repository_when_pulled_then_the_pinned_commit_is_the_revision_and_a_second_pull_loads_no_weights(
    hub: FakeHub, bucket: WeightsBucket, tmp_path: Path
) -> None:
    told: list[PulledFile] = []
    origin = HubOrigin(staging=tmp_path, endpoint=hub.endpoint)

    manifest = pull(SPEC, origin, bucket, on_file=told.append)

    assert manifest.revision == COMMIT
    assert {file.path: file.sha256 for file in manifest.files} == {
        path.relative_to(hub.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in hub.folder.rglob("*")
        if path.is_file()
    }
    assert all(file.sent for file in told)
    assert list(tmp_path.iterdir()) == [], "nothing stays in the staging folder"
    hub.downloaded.clear()
    assert pull(SPEC, origin, bucket, on_file=told.append) == manifest
    assert not [path for path in hub.downloaded if path.endswith(".safetensors")]


def test_given_a_repository_whose_numbers_are_rounded_then_the_revision_says_so_and_a_second_pull_loads_no_weights(
    hub: FakeHub, bucket: WeightsBucket, tmp_path: Path
) -> None:
    origin = HubOrigin(staging=tmp_path, endpoint=hub.endpoint)

    manifest = pull(ROUNDED, origin, bucket, on_file=lambda file: None, staging=tmp_path)

    assert manifest.revision == f"{COMMIT}-bf16"
    assert {file.path for file in manifest.files if file.published_sha256} == {
        f"{expert}/diffusion_pytorch_model.safetensors" for expert in ("transformer", "transformer_2")
    }
    assert list(tmp_path.iterdir()) == [], "nothing stays in the staging folder"
    hub.downloaded.clear()
    assert pull(ROUNDED, origin, bucket, on_file=lambda file: None, staging=tmp_path) == manifest
    assert not [path for path in hub.downloaded if path.endswith(".safetensors")]


def test_given_a_download_that_is_not_what_the_hub_tells_then_the_file_is_named(
    hub: FakeHub, bucket: WeightsBucket, tmp_path: Path
) -> None:
    path = "vae/diffusion_pytorch_model.safetensors"
    content = hub.content(path)
    hub.replaced[path] = content[:-1] + bytes([content[-1] ^ 1])

    with pytest.raises(WeightsError, match="the Hub says") as refused:
        pull(SPEC, HubOrigin(staging=tmp_path, endpoint=hub.endpoint), bucket, on_file=lambda file: None)

    assert refused.value.file == Path(path)
    assert bucket.stored() == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", None])
def test_given_a_hub_that_does_not_answer_or_has_no_such_repository_then_that_is_said(
    address: str | None, hub: FakeHub, bucket: WeightsBucket, tmp_path: Path
) -> None:
    source = SPEC.weights.sources[0].model_copy(update={"repo": "nobody/nothing"})
    spec = SPEC.variant(weights=SPEC.weights.model_copy(update={"sources": (source,)}))

    with pytest.raises(WeightsUnavailable, match="nobody/nothing"):
        pull(spec, HubOrigin(staging=tmp_path, endpoint=address or hub.endpoint), bucket, on_file=lambda file: None)
