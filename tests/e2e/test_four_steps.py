"""Four steps without guidance, the right video: by a LoRA as an operator brings it, and by a model that has it."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError

from models.registry import CHECKPOINTS
from tests.e2e.media import decode
from tests.e2e.studio import Studio
from training.judge.verdict import read_clip
from training.pack import LORA_FILES

PROMPT = "a red circle moving right on a blue background"


def test_the_four_step_lora_of_wan_mini_makes_the_video_asked_for(studio: Studio) -> None:
    for name in LORA_FILES:
        path = CHECKPOINTS / "wan-mini-4step" / name
        studio.aws("s3").upload_file(str(path), studio.media_bucket, f"loras/quick.{name}")
    quick = {"loras": [{"name": "quick"}], "scheduler": "flow-match-euler", "num_inference_steps": 4}

    video = studio.openai().videos.create_and_poll(
        model="wan-mini",
        prompt=PROMPT,
        size="128x128",
        seconds="2",
        extra_body={**quick, "guidance_scale": 1, "seed": 3},
    )

    check_made(studio, video)


def test_the_four_step_model_makes_it_by_its_defaults(studio: Studio) -> None:
    video = studio.openai().videos.create_and_poll(
        model="wan-mini-4step", prompt=PROMPT, size="128x128", seconds="2", extra_body={"seed": 3}
    )

    check_made(studio, video)


def check_made(studio: Studio, video: Any) -> None:
    assert video.status == "completed", video.error
    assert (video.scheduler, video.num_inference_steps) == ("flow-match-euler", 4)
    shown = read_clip(decode(studio.openai().videos.download_content(video.id).read()).frames)
    assert shown.background == "blue"
    assert [(figure.colour, figure.shape, figure.motion) for figure in shown.figures] == [("red", "circle", "right")]


def test_a_scheduler_that_the_model_does_not_have_is_refused_by_name(studio: Studio) -> None:
    with pytest.raises(BadRequestError) as refused:
        studio.openai().videos.create(model="wan-mini", prompt=PROMPT, extra_body={"scheduler": "euler-a"})

    assert refused.value.param == "scheduler"
    assert "flow-match-euler" in refused.value.message
