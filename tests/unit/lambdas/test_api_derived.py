"""Remix, edit and extension: what becomes of a finished video's request, as the API's clients see it."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image

from jobs.job import Job
from lambdas import services
from tests.unit.jobs.cloud import BUCKET, Cloud, fake_cloud
from tests.unit.jobs.made import outputs
from tests.unit.lambdas.conftest import Answer, Api

GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2", "seed": 7}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """One for all: no test here needs an empty one."""
    with pytest.MonkeyPatch.context() as monkeypatch, fake_cloud(monkeypatch) as made:
        yield made


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Api:
    return Api(services.keys().create(owner="default", name="tests"))


def finished(api: Api, cloud: Cloud, *, made: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A completed video of this request; `made` is what came out other than by default."""
    answer = api("POST", "/v1/videos", json_body={**GOOD, **changes})
    assert answer.status == 200, answer
    return complete(cloud, answer.body["id"], made=made)


def complete(cloud: Cloud, video_id: str, *, made: dict[str, Any] | None = None) -> Job:
    store = services.store()
    job = store.claim(video_id, instance_id="i", slot="0", lease_s=60)
    files = outputs(job).model_copy(update={"num_frames": job.request.total_frames, **(made or {})})
    cloud.s3.put_object(Bucket=BUCKET, Key=files.video, Body=b"the video")
    return store.complete(job.id, 1, outputs=files, seconds_by_phase={"denoise": 2.0}, cost_usd=0.01)


def error_of(answer: Answer) -> tuple[int, str | None, str]:
    error = answer.body["error"]
    return answer.status, error["param"], error["code"]


def movie(*, width: int = 128, height: int = 128, frames: int = 33, fps: int = 16, kind: str = "mp4") -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream("libx264", rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(frames):
            picture = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file.getvalue()


def data_url(data: bytes) -> str:
    return "data:video/mp4;base64," + base64.b64encode(data).decode()


def test_given_a_finished_video_when_remixed_then_the_same_settings_and_the_new_prompt(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud, size="96x160", num_inference_steps=12, negative_prompt="blue", guidance_scale=2.5)

    answer = api("POST", f"/v1/videos/{source.id}/remix", json_body={"prompt": "a green square"})

    assert answer.status == 200
    remix = services.store().get(answer.body["id"])
    assert remix.request == source.request.model_copy(update={"prompt": "a green square"})
    assert (answer.body["remixed_from_video_id"], answer.body["status"]) == (source.id, "queued")
    assert answer.body["origin"] == {"kind": "remix", "video_id": source.id}


def test_given_a_remix_with_other_fields_then_they_replace_the_sources(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud)

    body = {"prompt": "a green square", "seconds": "1", "seed": 8}
    remix = api("POST", f"/v1/videos/{source.id}/remix", json_body=body).body

    assert (remix["num_frames"], remix["seed"], remix["size"]) == (17, 8, source.request.size)


def test_given_a_remix_of_shots_then_the_shots_stay_and_the_scene_changes(api: Api, cloud: Cloud) -> None:
    shots = [{"prompt": "from left"}, {"prompt": "from above", "num_frames": 17}]
    source = finished(api, cloud, shots=shots, continuity="chain")

    remix = api("POST", f"/v1/videos/{source.id}/remix", json_body={"prompt": "at night"}).body

    assert (remix["prompt"], remix["continuity"]) == ("at night", "chain")
    assert [(shot["prompt"], shot["num_frames"]) for shot in remix["shots"]] == [("from left", 33), ("from above", 17)]


def test_given_a_remix_of_an_image_to_video_when_the_source_is_deleted_then_it_still_has_the_image(
    api: Api, cloud: Cloud
) -> None:
    png = io.BytesIO()
    Image.new("RGB", (128, 128)).save(png, "PNG")
    source = finished(api, cloud, model="wan-mini-i2v", image=data_url(png.getvalue()))

    remix = api("POST", f"/v1/videos/{source.id}/remix", json_body={"prompt": "it falls"}).body

    api("DELETE", f"/v1/videos/{source.id}")
    key = services.store().get(remix["id"]).request.image
    assert key is not None
    assert cloud.read(key) == png.getvalue()
    assert source.request.image not in cloud.object_keys("inputs/")


def test_given_a_remix_of_an_extension_when_the_extension_is_deleted_then_it_still_has_the_video(
    api: Api, cloud: Cloud
) -> None:
    body = {"prompt": "it stops", "seconds": "1", "video": {"id": finished(api, cloud).id}}
    extension = complete(cloud, api("POST", "/v1/videos/extensions", json_body=body).body["id"])
    remix = api("POST", f"/v1/videos/{extension.id}/remix", json_body={"prompt": "it turns"}).body

    api("DELETE", f"/v1/videos/{extension.id}")

    video = services.store().get(remix["id"]).request.video
    assert video is not None
    assert cloud.read(video.key) == b"the video"
    assert extension.request.video is not None
    assert extension.request.video.key not in cloud.object_keys("inputs/")


def test_given_a_source_whose_image_is_gone_when_remixed_then_a_400_says_so(api: Api, cloud: Cloud) -> None:
    png = io.BytesIO()
    Image.new("RGB", (128, 128)).save(png, "PNG")
    source = finished(api, cloud, model="wan-mini-i2v", image=data_url(png.getvalue()))
    assert source.request.image is not None
    cloud.s3.delete_object(Bucket=BUCKET, Key=source.request.image)

    answer = api("POST", f"/v1/videos/{source.id}/remix", json_body={"prompt": "it falls"})

    assert error_of(answer) == (400, None, "source_not_found")


def test_given_a_video_when_extended_then_its_sibling_goes_on_and_the_length_is_the_whole(
    api: Api, cloud: Cloud
) -> None:
    source = finished(api, cloud)

    body = {"prompt": "it stops", "seconds": "1", "video": {"id": source.id}}
    answer = api("POST", "/v1/videos/extensions", json_body=body)

    assert answer.status == 200, answer
    shown, request = answer.body, services.store().get(answer.body["id"]).request
    assert (shown["model"], shown["seconds"], shown["num_frames"], shown["has_image"]) == (
        "wan-mini-i2v",
        "3",
        49,
        True,
    )
    assert shown["remixed_from_video_id"] is None
    assert shown["origin"] == {"kind": "extension", "video_id": source.id}
    assert request.num_frames == 17
    assert request.video is not None
    assert (request.video.use, request.video.num_frames) == ("extend", 33)
    assert cloud.read(request.video.key) == b"the video"
    assert shown["id"] in [message["job_id"] for message in cloud.messages("wan-mini-i2v")]


def test_given_an_extension_when_its_source_is_deleted_then_it_still_has_the_video(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud)
    body = {"prompt": "it stops", "seconds": "1", "video": {"id": source.id}}
    extension = services.store().get(api("POST", "/v1/videos/extensions", json_body=body).body["id"])

    api("DELETE", f"/v1/videos/{source.id}")

    assert extension.request.video is not None
    assert cloud.read(extension.request.video.key) == b"the video"


def test_given_an_extension_when_extended_again_then_all_of_it_comes_before(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud)
    body = {"prompt": "it stops", "seconds": "1", "video": {"id": source.id}}
    once = complete(cloud, api("POST", "/v1/videos/extensions", json_body=body).body["id"])

    twice = api("POST", "/v1/videos/extensions", json_body={**body, "video": {"id": once.id}}).body

    assert (once.request.total_frames, twice["num_frames"], twice["seconds"]) == (49, 65, "4")


def test_given_a_video_when_edited_then_its_first_frame_and_length_and_the_new_prompt(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud, size="160x96")

    shown = api("POST", "/v1/videos/edits", json_body={"prompt": "in blue", "video": {"id": source.id}}).body

    request = services.store().get(shown["id"]).request
    assert (shown["model"], shown["size"], shown["num_frames"], shown["prompt"]) == (
        "wan-mini-i2v",
        "160x96",
        33,
        "in blue",
    )
    assert request.video is not None
    assert request.video.use == "edit"
    assert shown["origin"] == {"kind": "edit", "video_id": source.id}


@pytest.mark.parametrize("kind", ["mp4", "mov"])
def test_given_a_video_sent_along_then_it_is_measured_and_kept(api: Api, cloud: Cloud, kind: str) -> None:
    sent = movie(kind=kind)

    body = {"prompt": "it stops", "seconds": "1", "video": data_url(sent), "model": "wan-mini-i2v"}
    answer = api("POST", "/v1/videos/extensions", json_body=body)

    assert answer.status == 200, answer
    request = services.store().get(answer.body["id"]).request
    assert (request.size, request.fps, request.total_frames) == ("128x128", 16, 49)
    assert request.video is not None
    assert cloud.read(request.video.key) == sent
    assert request.video.key.endswith(kind)


def test_given_a_video_by_bracketed_fields_as_the_sdk_sends_it_then_it_is_found(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud)
    fields = {"prompt": "it stops", "seconds": "1", "video[id]": source.id}
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]

    answer = api(
        "POST",
        "/v1/videos/extensions",
        body="".join([*parts, "--b--\r\n"]),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )

    assert (answer.status, answer.body["num_frames"]) == (200, 49)


@pytest.mark.parametrize("path", ["/v1/videos/{id}/remix", "/v1/videos/edits", "/v1/videos/extensions"])
def test_given_a_video_that_is_not_finished_then_a_400(api: Api, path: str) -> None:
    video_id = api("POST", "/v1/videos", json_body=GOOD).body["id"]
    video = {} if "{id}" in path else {"video": {"id": video_id}, "seconds": "1"}

    answer = api("POST", path.format(id=video_id), json_body={"prompt": "x", **video})

    assert (answer.status, answer.body["error"]["code"]) == (400, "video_not_completed")


@pytest.mark.parametrize("path", ["/v1/videos/{id}/remix", "/v1/videos/edits", "/v1/videos/extensions"])
def test_given_another_tenants_video_then_a_404(api: Api, other_api: Api, cloud: Cloud, path: str) -> None:
    source = finished(api, cloud)
    video = {} if "{id}" in path else {"video": {"id": source.id}, "seconds": "1"}

    assert other_api("POST", path.format(id=source.id), json_body={"prompt": "x", **video}).status == 404


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("edits", {"video": {"id": "?"}}, "prompt", "missing_required_parameter"),
        ("edits", {"prompt": "x"}, "video", "missing_required_parameter"),
        ("edits", {"prompt": "x", "video": {"id": 1}}, "video.id", "invalid_type"),
        ("edits", {"prompt": "x", "video": data_url(b"no video")}, "video", "invalid_video"),
        ("edits", {"prompt": "x", "video": data_url(movie()[:-500])}, "video", "invalid_video"),
        (
            "edits",
            {"prompt": "x", "video": {"id": "?"}, "image": "data:image/png;base64,AA=="},
            "image",
            "image_given_twice",
        ),
        ("edits", {"prompt": "x", "video": data_url(movie(width=64, height=64))}, "size", "invalid_size"),
        ("extensions", {"prompt": "x", "video": {"id": "?"}}, "seconds", "missing_required_parameter"),
        ("extensions", {"prompt": "x", "video": {"id": "?"}, "seconds": "1", "size": "96x160"}, "size", "size_differs"),
        ("extensions", {"prompt": "x", "video": {"id": "?"}, "seconds": "9"}, "seconds", "invalid_seconds"),
        (
            "extensions",
            {"prompt": "x", "video": {"id": "?"}, "seconds": "1", "colour": 1},
            "colour",
            "unknown_parameter",
        ),
        ("extensions", {"prompt": "x", "video": "/etc/passwd", "seconds": "1"}, "video", "invalid_video"),
    ],
)
def test_given_a_wrong_body_then_a_400_naming_the_field_and_nothing_kept(
    api: Api, cloud: Cloud, path: str, body: dict[str, Any], param: str, code: str
) -> None:
    source = finished(api, cloud)
    kept = cloud.object_keys("inputs/")

    sent = json.loads(json.dumps(body).replace('"?"', f'"{source.id}"'))
    answer = api("POST", f"/v1/videos/{path}", json_body=sent)

    assert error_of(answer) == (400, param, code)
    assert cloud.object_keys("inputs/") == kept


def test_given_a_model_without_sibling_then_the_refusal_names_those_that_take_images(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud, model="holocine-mini", seconds="3")

    answer = api("POST", "/v1/videos/edits", json_body={"prompt": "x", "video": {"id": source.id}})

    assert error_of(answer) == (400, "model", "no_image_to_video_model")
    assert "wan-mini-i2v" in answer.body["error"]["message"]


def test_given_an_enlarged_video_then_its_extension_is_refused(api: Api, cloud: Cloud) -> None:
    source = finished(api, cloud, output={"upscale": 2}, made={"width": 256, "height": 256})

    body = {"prompt": "x", "video": {"id": source.id}, "seconds": "1"}

    assert error_of(api("POST", "/v1/videos/extensions", json_body=body)) == (400, "video", "video_enhanced")


def test_given_one_key_for_two_sources_then_the_second_is_a_conflict(api: Api, cloud: Cloud) -> None:
    sources = [finished(api, cloud), finished(api, cloud)]
    headers = {"idempotency-key": "once"}

    answers = [
        api("POST", f"/v1/videos/{source.id}/remix", json_body={"prompt": "x"}, headers=headers)
        for source in (sources[0], sources[0], sources[1])
    ]

    assert [answer.status for answer in answers] == [200, 200, 422]
    assert answers[0].body["id"] == answers[1].body["id"]


def test_given_one_key_for_a_video_sent_along_then_again_is_the_same_and_another_video_is_a_conflict(
    api: Api, cloud: Cloud
) -> None:
    sent = [movie(), movie(), movie(frames=17)]
    headers = {"idempotency-key": "sent along"}

    answers = [
        api("POST", "/v1/videos/edits", json_body={"prompt": "x", "video": data_url(video)}, headers=headers)
        for video in sent
    ]

    assert [answer.status for answer in answers] == [200, 200, 422]
    assert answers[0].body["id"] == answers[1].body["id"]


def test_codecs_and_factors_are_those_of_the_encoder() -> None:
    from jobs.request import FACTORS, OutputBody
    from models.output import CODECS
    from models.output.filters import FACTORS as OFFERED

    assert set(OutputBody.model_json_schema()["properties"]["codec"]["enum"]) == set(CODECS)
    assert FACTORS == OFFERED
    assert {Path(f"x{codec.suffix}").suffix for codec in CODECS.values()} == {".mp4", ".mov"}
