"""Tiny HunyuanVideo models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video import pipeline_hunyuan_video, pipeline_hunyuan_video_image2video
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from models.tiny.text import SEED, TEXT_WIDTH, clip_text, llama, llama_config, word_tokenizer

_VOCABULARY = "a red blue green yellow circle square star triangle moving left right up down on background second"
_LLAMA_SPECIAL = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<image>")
_IMAGE_SIDE = 336  # LLaVA's: 24 x 24 patches of 14 pixels are the 576 image tokens that the pipeline expects
_PATCH_SIDE = 14


def hunyuan_video(folder: Path) -> None:
    """HunyuanVideo's layout (text to video), random weights."""
    torch.manual_seed(SEED)
    tokenizer = _llama_tokenizer(pipeline_hunyuan_video.DEFAULT_PROMPT_TEMPLATE["template"])
    HunyuanVideoPipeline(
        text_encoder=llama(len(tokenizer)),
        tokenizer=tokenizer,
        transformer=_transformer(in_channels=4, image_condition_type=None),
        **_common_parts(),
    ).save_pretrained(folder)


def hunyuan_video_i2v(folder: Path, *, image_condition_type: str = "token_replace") -> None:
    """HunyuanVideo-I2V's layout; `latent_concat` is its first release, `token_replace` the later one."""
    torch.manual_seed(SEED)
    template = pipeline_hunyuan_video_image2video.DEFAULT_PROMPT_TEMPLATE["template"]
    tokenizer = _llama_tokenizer(template)
    concatenated = image_condition_type == "latent_concat"
    HunyuanVideoImageToVideoPipeline(
        text_encoder=_llava(tokenizer),
        tokenizer=tokenizer,
        transformer=_transformer(in_channels=9 if concatenated else 4, image_condition_type=image_condition_type),
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": _IMAGE_SIDE}, crop_size={"height": _IMAGE_SIDE, "width": _IMAGE_SIDE}
        ),
        **_common_parts(),
    ).save_pretrained(folder)


def _common_parts() -> dict[str, Any]:
    clip_tokenizer = word_tokenizer([_VOCABULARY], (), bos="<|startoftext|>", eos="<|endoftext|>")
    return {
        "vae": _vae(),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0),
        "text_encoder_2": clip_text(len(clip_tokenizer), clip_tokenizer.eos_token_id),
        "tokenizer_2": clip_tokenizer,
    }


def _llama_tokenizer(template: str) -> PreTrainedTokenizerFast:
    return word_tokenizer([template, _VOCABULARY], _LLAMA_SPECIAL, bos="<|begin_of_text|>", eos="<|end_of_text|>")


def _llava(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    vision = CLIPVisionConfig(
        hidden_size=TEXT_WIDTH,
        intermediate_size=32,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=_IMAGE_SIDE,
        patch_size=_PATCH_SIDE,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=llama_config(len(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
    )
    return LlavaForConditionalGeneration(config).eval()


def _transformer(*, in_channels: int, image_condition_type: str | None) -> HunyuanVideoTransformer3DModel:
    return HunyuanVideoTransformer3DModel(
        in_channels=in_channels,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=10,
        num_layers=1,
        num_single_layers=1,
        num_refiner_layers=1,
        patch_size=1,
        patch_size_t=1,
        guidance_embeds=image_condition_type is None,
        text_embed_dim=TEXT_WIDTH,
        pooled_projection_dim=TEXT_WIDTH,
        rope_axes_dim=(2, 4, 4),
        image_condition_type=image_condition_type,
    ).eval()


def _vae() -> AutoencoderKLHunyuanVideo:
    return AutoencoderKLHunyuanVideo(
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
    ).eval()
