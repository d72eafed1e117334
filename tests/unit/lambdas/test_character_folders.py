"""`inbox/characters/<name>/`: pictures become a character once the folder is quiet, and a change its next version."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from jobs import clock
from jobs.casting import Casting
from jobs.character import Character
from jobs.drop.characters import CLAIM_S, QUIET_S
from jobs.drop.results import deliver
from jobs.job import Job
from jobs.states import State
from lambdas import services
from lambdas.drop_folder.handler import handler as drop_folder
from tests.unit.jobs.cloud import Cloud, fake_cloud
from tests.unit.jobs.made import outputs
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


def given_trained(cloud: Cloud, settings: bytes = b"model: wan-mini\ntrigger: zxrita\n") -> tuple[Character, Job]:
    """The folder Rita, whose first version is being trained."""
    drop(cloud, "Rita", **{f"p{at}_png": picture(40 * at) for at in range(5)}, character_yaml=settings)
    assert sweep() == 1
    character = services.characters().get(receipt(cloud, "Rita")["character_id"], owner="default")
    job = services.store().claim(character.versions[0].job_id, instance_id="i", slot="0", lease_s=60)
    return character, job


def versions_of(character: Character) -> list[Job]:
    versions = services.characters().get(character.id, owner="default").versions
    return [services.store().get(version.job_id) for version in versions]


@pytest.mark.parametrize(
    "bad",
    [
        {"p6_png": b"not a picture"},
        {"character_yaml": b"training: {clip_frames: 1, camera_moves: {pan_left: left}}"},
    ],
)
def test_given_a_training_under_way_when_a_change_is_refused_then_it_goes_on(
    cloud: Cloud, bad: dict[str, bytes]
) -> None:
    character, job = given_trained(cloud)

    drop(cloud, "Rita", **bad)

    assert (sweep(), receipt(cloud, "Rita")["status"]) == (1, "rejected")
    assert not services.store().get(job.id).cancel_requested
    assert versions_of(character) == [job]


def test_given_a_training_under_way_when_a_change_is_taken_then_only_the_new_one_goes_on(cloud: Cloud) -> None:
    character, _ = given_trained(cloud)

    drop(cloud, "Rita", p5_png=picture(230))

    assert (sweep(), receipt(cloud, "Rita")["character_version"]) == (1, 2)
    assert [job.cancel_requested for job in versions_of(character)] == [True, False]


@pytest.mark.parametrize("dies_before", ["cancelling", "the_receipt"])
def test_given_a_sweep_that_died_over_a_change_then_the_next_ends_all_but_one_training(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, dies_before: str
) -> None:
    character, _ = given_trained(cloud)
    drop(cloud, "Rita", p5_png=picture(230))
    renew = Casting.renew

    def dies(self: Casting, *args: Any, **how: Any) -> Any:
        if dies_before == "the_receipt":
            renew(self, *args, **how)
        raise MemoryError

    with monkeypatch.context() as dying:
        dying.setattr(Casting, "renew" if dies_before == "the_receipt" else "_end_earlier", dies)
        with pytest.raises(MemoryError):
            sweep()

    assert sweep(after_s=QUIET_S + CLAIM_S + 1) == 1

    assert receipt(cloud, "Rita")["character_version"] == 2
    assert [(job.cancel_requested, job.status) for job in versions_of(character)] == [
        (True, State.IN_PROGRESS),
        (False, State.QUEUED),
    ]


@pytest.mark.parametrize(("field", "line"), [("model", b"model: holocine-mini"), ("trigger", b"trigger: zxnova")])
def test_given_settings_that_no_later_version_can_have_then_refused_by_name_and_a_new_folder_is_proposed(
    cloud: Cloud, field: str, line: bytes
) -> None:
    character, job = given_trained(cloud)

    drop(cloud, "Rita", character_yaml=line)

    assert sweep() == 1
    told = receipt(cloud, "Rita")
    assert (told["status"], told["character_id"]) == ("rejected", character.id)
    assert (told["error"]["param"], told["error"]["code"]) == (field, f"{field}_cannot_change")
    assert "new folder" in told["error"]["message"]
    assert versions_of(character) == [job]


@pytest.mark.parametrize("same", [b"", b"model: wan-mini\ntrigger: zxrita\n"])
def test_given_another_name_in_the_settings_then_the_character_takes_it_and_keeps_the_rest(
    cloud: Cloud, same: bytes
) -> None:
    character, _ = given_trained(cloud)

    drop(cloud, "Rita", character_yaml=b"name: Rita Lee\n" + same)

    assert (sweep(), receipt(cloud, "Rita")["status"]) == (1, "accepted")
    renamed = services.characters().get(character.id, owner="default")
    assert (renamed.name, renamed.model, renamed.trigger) == ("Rita Lee", "wan-mini", "zxrita")
    plan = versions_of(character)[1].training
    assert plan is not None
    assert (plan.name, plan.trigger) == ("Rita Lee", "zxrita")


def test_given_a_character_of_a_folder_when_deleted_then_its_sample_and_result_go_and_the_receipt_stays(
    cloud: Cloud,
) -> None:
    character, job = given_trained(cloud)
    made = outputs(job)
    cloud.put(made.video, b"video")
    done = services.store().complete(job.id, 1, outputs=made, seconds_by_phase={}, cost_usd=0.0)
    assert len(deliver(done)) == 2

    services.casting().delete(character.id, owner="default")

    assert cloud.object_keys("outbox/") == ["outbox/characters/Rita/character.receipt.json"]


@pytest.mark.parametrize(
    ("key", "body", "counts", "receipt_key"),
    [
        ("lote.csv", b"prompt\na red circle\n", (1, 0), "outbox/characters/lote.csv.receipt.json"),
        ("maria.png", picture(1), (0, 1), "outbox/characters/maria.png.receipt.json"),
        ("/a.txt", b"a red circle", (0, 1), "outbox/rejected/"),
    ],
)
def test_given_a_file_beside_the_characters_folders_then_it_is_a_drop_like_any_other(
    cloud: Cloud, key: str, body: bytes, counts: tuple[int, int], receipt_key: str
) -> None:
    told = drop_folder(cloud.put(f"inbox/characters/{key}", body), cast(Any, Context()))

    assert (told["accepted"], told["rejected"]) == counts
    assert sweep() == 0
    [kept] = cloud.object_keys("outbox/")
    assert kept.startswith(receipt_key)
    assert len(cloud.messages()) == counts[0]


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
