"""`inbox/characters/<name>/`: pictures become a character once the folder is quiet, and a change its next version."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from jobs import clock
from jobs.drop.characters import QUIET_S
from lambdas import services
from lambdas.drop_folder.handler import handler as drop_folder
from tests.unit.jobs.cloud import Cloud, fake_cloud
from tests.unit.lambdas.conftest import Context
from tests.unit.lambdas.test_api_characters import picture


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with pytest.MonkeyPatch.context() as monkeypatch, fake_cloud(monkeypatch) as made:
        yield made


def drop(cloud: Cloud, folder: str, **files: bytes) -> list[dict[str, Any]]:
    return [cloud.put(f"inbox/characters/{folder}/{name.replace('_', '.')}", data) for name, data in files.items()]


def receipt(cloud: Cloud, folder: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(cloud.read(f"outbox/characters/{folder}/character.receipt.json"))
    return read


def sweep(after_s: float = QUIET_S + 1) -> int:
    return len(services.character_folders().take_quiet(clock.now() + after_s))


def test_given_a_folder_when_it_is_quiet_then_one_character_and_a_change_is_its_next_version(cloud: Cloud) -> None:
    pictures = {f"p{at}_png": picture(40 * at) for at in range(5)}
    settings = b"model: wan-mini\ntrigger: zxrita\ntraining: {steps: 40}\n"
    events = drop(cloud, "Rita", **pictures, p0_txt=b"zxrita at noon", character_yaml=settings)

    assert all(drop_folder(event, cast(Any, Context())) == {"accepted": 0, "rejected": 0} for event in events)
    assert sweep(after_s=0) == 0  # the last picture may still be on its way
    assert [sweep(), sweep()] == [1, 0]

    told = receipt(cloud, "Rita")
    character = services.characters().get(told["character_id"], owner="default")
    job = services.store().get(character.versions[0].job_id)
    assert (told["status"], told["character_version"], character.name, character.trigger) == (
        "accepted",
        1,
        "Rita",
        "zxrita",
    )
    assert job.training is not None
    assert (job.training.settings.steps, job.source.door, len(job.training.references)) == (40, "drop_folder", 5)
    assert job.training.references[0].caption == "zxrita at noon"

    drop(cloud, "Rita", p5_png=picture(230))
    assert [sweep(), sweep()] == [1, 0]
    renewed = services.characters().get(character.id, owner="default")
    assert [version.number for version in renewed.versions] == [1, 2]
    assert len(renewed.references) == 6


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a_png": picture(1)}, "too_few_images"),
        ({"a_jpg": b"a text"}, "invalid_image"),
        ({"a_exe": b"x"}, "unknown_file"),
        ({"character_yaml": b"steps: 3"}, "unknown_parameter"),
        ({"character_yaml": b"model: [", "a_png": picture(1)}, "invalid_yaml"),
        ({"character_yaml": b"trigger: 2024-13-45"}, "invalid_yaml"),
        ({"character_yaml": b'trigger: !!int ""'}, "invalid_yaml"),
        ({"character_yaml": b"training: " + b"[" * 5_000}, "invalid_yaml"),
        ({"character_yaml": b"- name: a\n- name: b\n"}, "unknown_parameter"),
        ({"character_yaml": b"a text"}, "unknown_parameter"),
    ],
)
def test_given_a_folder_that_nothing_can_be_learned_from_then_its_receipt_says_why_once(
    cloud: Cloud, files: dict[str, bytes], code: str
) -> None:
    drop(cloud, "Bad", **files)

    assert [sweep(), sweep()] == [1, 0]

    told = receipt(cloud, "Bad")
    assert (told["status"], told["error"]["code"], told["character_id"]) == ("rejected", code, None)
    assert cloud.messages() == []
    assert cloud.object_keys("characters/") == []
