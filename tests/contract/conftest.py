"""The API over HTTP, as the unmodified `openai` SDK meets it, with AWS played by moto's server: presigned URLs work."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer
from openai import AsyncOpenAI, OpenAI
from PIL import Image

from jobs.job import Job
from lambdas import services
from tests.contract.gateway import served
from tests.unit.jobs.cloud import BUCKET, Cloud, resources
from tests.unit.jobs.made import outputs
from tests.unit.lambdas.test_api_derived import movie


@dataclass(frozen=True)
class Studio:
    """A deployment without a fleet: `finish` does what an agent would have done."""

    base_url: str
    cloud: Cloud

    def openai(self, owner: str = "default", **options: Any) -> OpenAI:
        return OpenAI(base_url=self.base_url, api_key=self.key(owner), **options)

    def async_openai(self, owner: str = "default", **options: Any) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self.base_url, api_key=self.key(owner), **options)

    def key(self, owner: str) -> str:
        return services.keys().create(owner=owner, name="contract")

    def finish(self, video_id: str) -> Job:
        """Claim it and complete it, with files in the bucket."""
        store = services.store()
        job = store.claim(video_id, instance_id="i", slot="0", lease_s=60)
        made = outputs(job).model_copy(update={"num_frames": job.request.total_frames})
        still = jpeg()
        for key, data in ((made.video, FILM), (made.thumbnail, still), (made.spritesheet, still)):
            self.cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        return store.complete(job.id, 1, outputs=made, seconds_by_phase={"denoise": 2.0}, cost_usd=0.01)

    @contextmanager
    def agent(self) -> Iterator[None]:
        """Finishes whatever is queued while the block runs, and nothing that was before."""
        over = threading.Event()
        self.cloud.messages()

        def work() -> None:
            while not over.wait(0.05):
                for message in self.cloud.messages():
                    self.finish(message["job_id"])

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


FILM = movie()
GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2", "size": "128x128"}


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(file, "JPEG")
    return file.getvalue()


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(file, "PNG")
    return file.getvalue()


def finished(studio: Studio, client: OpenAI, **changes: Any) -> Any:
    video = client.videos.create(**{**GOOD, **changes})
    studio.finish(video.id)
    return client.videos.retrieve(video.id)


@pytest.fixture(scope="package")
def studio() -> Iterator[Studio]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.post(f"http://{host}:{port}/moto-api/reset")  # one state a process: an earlier studio's may be there
    try:
        with (
            pytest.MonkeyPatch.context() as monkeypatch,
            resources(monkeypatch, endpoint_url=f"http://{host}:{port}") as cloud,
            served() as base_url,
        ):
            yield Studio(f"{base_url}/v1", cloud)
    finally:
        server.stop()


@pytest.fixture(scope="package")
def client(studio: Studio) -> OpenAI:
    return studio.openai()
