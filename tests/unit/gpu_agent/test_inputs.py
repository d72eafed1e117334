"""What a model is asked for: the job's LoRAs on the local disk, each told for which expert it is, and its scheduler."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from gpu_agent.checkpoints import CheckpointStore
from gpu_agent.inputs import InputFetcher, InputMissing
from jobs.request import Lora
from tests.unit.jobs.cloud import BUCKET, Cloud, fake_cloud
from tests.unit.jobs.made import queued, request

HALVES = ("loras/quick.high_noise.safetensors", "loras/quick.low_noise.safetensors")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with fake_cloud(monkeypatch) as made:
        yield made


def fetched(tmp_path: Path, model: str = "wan-mini") -> list[tuple[str, str, float]]:
    """File, expert and scale of each LoRA that a job with the LoRA `quick` is given."""
    s3 = boto3.client("s3")
    fetcher = InputFetcher(s3, BUCKET, CheckpointStore(s3, BUCKET, bytes_per_s=1e6), tmp_path)
    job = queued(request=request(model=model, loras=(Lora(name="quick", scale=0.5),)))
    refs = fetcher.fetch(job).request.loras
    assert [ref.path.read_bytes() for ref in refs] == [ref.path.name.encode() for ref in refs]
    return [(ref.path.name, ref.experts, ref.scale) for ref in refs]


def put(cloud: Cloud, *keys: str) -> None:
    for key in keys:
        cloud.put(key, Path(key).name.encode())


def test_given_one_file_then_it_is_for_both_experts(cloud: Cloud, tmp_path: Path) -> None:
    put(cloud, "loras/quick.safetensors", *HALVES)

    assert fetched(tmp_path) == [("quick.safetensors", "both", 0.5)]


def test_given_a_file_for_each_expert_then_each_gets_its_own(cloud: Cloud, tmp_path: Path) -> None:
    put(cloud, *HALVES)

    assert fetched(tmp_path) == [
        ("quick.high_noise.safetensors", "high_noise", 0.5),
        ("quick.low_noise.safetensors", "low_noise", 0.5),
    ]


def test_given_a_scheduler_and_a_flow_shift_then_the_model_is_asked_for_them(cloud: Cloud, tmp_path: Path) -> None:
    s3 = boto3.client("s3")
    fetcher = InputFetcher(s3, BUCKET, CheckpointStore(s3, BUCKET, bytes_per_s=1e6), tmp_path)

    assert fetcher.fetch(queued()).request.scheduler is None
    assert fetcher.fetch(queued()).request.flow_shift is None
    asked = fetcher.fetch(queued(request=request(scheduler="flow-match-euler", flow_shift=7.5))).request
    assert (asked.scheduler, asked.flow_shift) == ("flow-match-euler", 7.5)


def test_given_half_of_a_lora_then_the_missing_file_is_named(cloud: Cloud, tmp_path: Path) -> None:
    put(cloud, HALVES[0])

    with pytest.raises(InputMissing, match=r"loras/quick\.low_noise\.safetensors"):
        fetched(tmp_path)
    assert list(tmp_path.iterdir()) == [], "of a fetch that failed nothing stays on the disk"
