"""A character from pictures to videos: taken in, trained by the fleet, named in a prompt, deleted."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
from safetensors import safe_open

from tests.e2e.studio import Studio, wait_until

TRAINED_S = 300.0
# Few and cheap steps: whether a likeness is learned is measured by `make bench-characters`.
TRAINING = {"steps": 4, "rank": 2, "batch_size": 1, "clip_frames": 1, "sample_every": 2, "caption_dropout": 0.0}


def picture(shade: int) -> str:
    file = io.BytesIO()
    image = PIL.Image.new("RGB", (128, 128), "navy")
    image.paste((255, shade, 0), (40, 40, 90, 90))
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def asked_for(name: str) -> dict[str, Any]:
    """A request for a character of this name, from five pictures and for wan-mini."""
    return {
        "name": name,
        "trigger": "zxquad",
        "images": [picture(40 * at) for at in range(5)],
        "captions": [f"a zxquad on a blue background {at}" for at in range(5)],
        "model": "wan-mini",
        "training": TRAINING,
    }


def until(read: Callable[[], Any], status: str) -> dict[str, Any]:
    """What `read` gives once its status is the one; fails at once if it is a failure."""
    seen: dict[str, Any] = {}

    def there() -> bool:
        seen.update(read().raise_for_status().json())
        assert seen["status"] == status or seen["status"] != "failed", seen
        return bool(seen["status"] == status)

    wait_until(there, timeout_s=TRAINED_S, what=lambda: f"{status}, not {seen}")
    return seen


def test_given_pictures_when_trained_by_the_fleet_then_the_character_is_used_by_name_and_deleted_whole(
    studio: Studio, tmp_path: Path
) -> None:
    with studio.http() as client:
        made = client.post("/videos/characters", json=asked_for("Quadrada")).raise_for_status().json()
        path = f"/videos/characters/{made['id']}"

        ready = until(lambda: client.get(path), "ready")

        version = ready["versions"][0]
        assert (ready["lora"], version["steps"], ready["progress"]) == (f"{made['id']}.v1", 4, 100)
        training = client.get(f"{path}/training").json()
        assert len(training["losses"]) == 4
        assert [each["step"] for each in training["samples"]] == [2]
        sample = PIL.Image.open(io.BytesIO(httpx.get(training["samples"][0]["url"], timeout=60).content))
        assert sample.size == (128, 128)
        assert client.get(f"/videos/{version['video_id']}").json()["status"] == "completed"
        for expert in ("high_noise", "low_noise"):
            link = client.get(f"{path}/lora", params={"expert": expert}).headers["location"]
            (tmp_path / f"{expert}.safetensors").write_bytes(httpx.get(link, timeout=60).content)
        _check_learned(tmp_path / "high_noise.safetensors")

        asked = {"model": "wan-mini", "prompt": "a [character:quadrada] moving left", "num_frames": 17}
        video = client.post("/videos", json=asked).raise_for_status().json()
        assert (video["prompt"], video["loras"]) == (
            "a zxquad moving left",
            [{"name": f"{made['id']}.v1", "scale": 1.0}],
        )
        until(lambda: client.get(f"/videos/{video['id']}"), "completed")

        assert client.delete(path).json()["deleted"] is True
        pages = studio.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=studio.media_bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        left = [key for key in keys if made["id"] in key or version["video_id"] in key]
        assert left == []
        assert client.get(f"/videos/{video['id']}").json()["status"] == "completed"


def _check_learned(path: Path) -> None:
    """diffusers' keys, weights that moved, and a header that tells what it is (the unit tests load it by diffusers)."""
    with safe_open(path, framework="np") as file:
        names = list(file.keys())
        assert all(name.startswith("transformer.blocks.") for name in names)
        assert any(file.get_tensor(name).any() for name in names if "lora_B" in name)
        told = file.metadata()
    assert (told["base_model"], told["trigger"], told["character"]) == ("wan-mini", "zxquad", "Quadrada")
