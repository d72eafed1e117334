"""Texts that a stock pipeline would cut are refused by their field, before anything is denoised."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.hunyuan_video import pipeline_hunyuan_video, pipeline_hunyuan_video_image2video

from models import catalog
from models.common.texts import TextTooLong
from models.interface import Shot, UnsupportedRequest
from tests.unit.models.families import cases

READ = {"wan-t2v-two-experts": 512, "cogvideox-t2v": 226, "mochi-t2v": 256, "ltx-t2v": 128}
LONG = "a red circle " * 100


def refusal(name: str, folder: Path, **changes: Any) -> UnsupportedRequest:
    """Why the request is refused; not a step was made before."""
    case = cases.CASES[name]
    phases: list[str] = []
    with pytest.raises(UnsupportedRequest) as refused:
        list(
            cases.load(case, folder).generate(
                cases.request(case, folder, **changes), on_step=lambda step: None, on_phase=phases.append
            )
        )
    assert phases == ["encode"]
    return refused.value


@pytest.mark.parametrize(("name", "tokens"), READ.items())
def test_given_a_text_when_it_is_refused_then_it_is_one_whose_end_the_stock_pipeline_cuts(
    name: str, tokens: int, weights_of: Callable[[str], Path]
) -> None:
    model = cases.load(cases.CASES[name], weights_of(name))
    pipe, family = model._pipelines.text(with_image=False), model._family
    # One token a letter, one for the start of the word, one for the end of the text.
    whole, cut = "a" * (tokens - 2), "a" * (tokens - 1)

    def stock(text: str) -> torch.Tensor:
        embeds: torch.Tensor
        embeds, *_ = pipe.encode_prompt(prompt=text, do_classifier_free_guidance=False, max_sequence_length=tokens)
        return embeds

    with torch.no_grad():
        assert torch.equal(family.encode(pipe, whole, None)["embeds"], stock(whole))
        assert not torch.equal(stock(whole), stock(whole[:-1] + "b"))
        assert torch.equal(stock(cut), stock(cut[:-1] + "b"))
    with pytest.raises(TextTooLong, match=f"has {tokens + 1} tokens; the model reads {tokens}"):
        family.encode(pipe, cut, None)


def test_given_spaces_and_entities_that_wans_cleaning_takes_out_then_they_do_not_count(
    weights_of: Callable[[str], Path],
) -> None:
    name = "wan-t2v-two-experts"
    model = cases.load(cases.CASES[name], weights_of(name))

    model._family.check_text(model._pipelines.text(with_image=False), "  &amp;  " * 200)


@pytest.mark.parametrize("name", ["hunyuan-t2v", "hunyuan-i2v-token-replace"])
def test_given_a_text_that_fills_llama_then_it_is_read_though_clip_cuts_it(
    name: str, weights_of: Callable[[str], Path]
) -> None:
    model = cases.load(cases.CASES[name], weights_of(name))
    pipe, family = model._pipelines.text(with_image=name != "hunyuan-t2v"), model._family
    stock = pipeline_hunyuan_video if name == "hunyuan-t2v" else pipeline_hunyuan_video_image2video
    template = stock.DEFAULT_PROMPT_TEMPLATE
    words = 256 + template["crop_start"] - len(pipe.tokenizer(template["template"].format("")).input_ids)

    family.check_text(pipe, "red " * words)
    with pytest.raises(TextTooLong, match="has 257 tokens; the model reads 256"):
        family.check_text(pipe, "red " * (words + 1))


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"prompt": LONG}, "prompt"),
        ({"negative_prompt": LONG}, "negative_prompt"),
        ({"shots": (Shot(prompt="moving left"), Shot(prompt=LONG))}, "shots[1].prompt"),
        ({"prompt": LONG[:90], "shots": (Shot(prompt="up"), Shot(prompt=LONG[:60]))}, "shots[1].prompt"),
    ],
)
def test_given_a_text_that_is_too_long_when_generated_then_its_field_is_named_before_a_step_is_made(
    changes: dict[str, Any], param: str, weights_of: Callable[[str], Path]
) -> None:
    refused = refusal("ltx-t2v", weights_of("ltx-t2v"), **changes)

    assert refused.param == param
    assert str(refused).startswith(f"{param}: ")
    assert "the model reads 128" in str(refused)


def test_given_chained_shots_whose_images_the_encoder_sees_then_a_late_text_is_refused_before_the_first_shot(
    weights_of: Callable[[str], Path],
) -> None:
    name = "hunyuan-i2v-token-replace"
    shots = (Shot(prompt="moving left"), Shot(prompt=LONG))

    assert refusal(name, weights_of(name), shots=shots, continuity="chain").param == "shots[1].prompt"


@pytest.mark.parametrize("spec", catalog.all_models(), ids=lambda spec: spec.id)
def test_given_a_models_default_negative_prompt_then_the_model_reads_it_whole(spec: catalog.ModelSpec) -> None:
    start_and_end = 2  # no more than a token a character beside them
    assert len(spec.default.negative_prompt) + start_and_end <= spec.limits.prompt_tokens
