"""A training on the fleet: killed without notice or told to go, it ends in the same LoRA, bit for bit."""

import hashlib
import io
from typing import Any

import numpy as np
import PIL.Image
import pytest

from jobs import s3_keys
from jobs.job import Job
from jobs.states import State
from jobs.training import TrainingPlan, TrainingReference, TrainingSettings
from tests.chaos.conftest import StartAgent
from tests.chaos.world.agents import ended, submit, wait_for
from tests.chaos.world.emulator import LocalAws
from tests.chaos.world.imds import StandInImds

STEPS = 20
ENDS_WITHIN_S = 500.0  # two encoders, twenty steps and a video on cores that do other work as well


def training(aws: LocalAws, name: str) -> Job:
    """A training of one small LoRA, put in as the API does; the same pictures whatever the name."""
    references = []
    for index in range(5):
        file = io.BytesIO()
        pixels = np.random.default_rng(index).integers(0, 255, (128, 128, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(file, "PNG")
        sha256 = hashlib.sha256(file.getvalue()).hexdigest()
        key = s3_keys.reference("character", sha256, "png")
        aws.client("s3").put_object(Bucket=aws.bucket, Key=key, Body=file.getvalue())
        references.append(TrainingReference(key=key, sha256=sha256, caption=f"zxname {index}"))
    settings = TrainingSettings(
        steps=STEPS,
        rank=2,
        alpha=2.0,
        learning_rate=1e-3,
        batch_size=1,
        caption_dropout=0.1,
        prior_weight=0.0,
        size="128x128",
        sample_prompt="zxname",
        sample_every=0,
        seed=3,
    )
    plan = TrainingPlan(
        character_id="character",
        name=name,
        version=1,
        trigger="zxname",
        lora=f"character_{name}.v1",
        references=tuple(references),
        settings=settings,
    )
    return submit(aws, training=plan, num_frames=17, size="128x128")


def lora_of(aws: LocalAws, job: Job) -> list[Any]:
    """The tensors' bytes of both experts (headers tell the names, which differ)."""
    from safetensors.torch import load

    assert job.status is State.COMPLETED, job.error
    assert job.training is not None
    found = []
    for expert in ("high_noise", "low_noise"):
        key = s3_keys.character_lora(job.training.lora, expert)
        tensors = load(aws.client("s3").get_object(Bucket=aws.bucket, Key=key)["Body"].read())
        found.append({name: tensor.numpy().tobytes() for name, tensor in tensors.items()})
    return found


@pytest.mark.parametrize("how", ["kill", "notice"])
def test_given_a_training_that_loses_its_machine_when_resumed_elsewhere_then_the_lora_is_the_same(
    aws: LocalAws, agent: StartAgent, imds: StandInImds, how: str
) -> None:
    untouched = training(aws, "whole")
    first = agent("i-first", imds_endpoint=imds.endpoint)
    expected = lora_of(aws, ended(aws, untouched, timeout_s=ENDS_WITHIN_S))
    job = training(aws, how)
    wait_for(
        lambda: aws.store().get(job.id).checkpoint_step >= 3,
        what="a checkpoint of the training",
        timeout_s=ENDS_WITHIN_S,
    )

    if how == "kill":
        first.kill_machine()
    else:
        imds.give_spot_notice(in_s=120)
        assert first.process.wait(60) == 0
    agent("i-second")

    done = ended(aws, job, timeout_s=ENDS_WITHIN_S)
    assert [attempt.outcome for attempt in done.attempts][-1] == "completed"
    assert done.attempts[-1].resumed_from_step >= 3
    assert done.crashes == 0
    assert done.total_steps == STEPS + done.request.num_inference_steps
    assert lora_of(aws, done) == expected
