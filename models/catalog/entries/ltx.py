"""LTX-Video 2B (Lightricks), text and image to video: the diffusers layout of version 0.9. Facts: the model card."""

from models.catalog.arch import ArchSpec, ConvCost, CrossAttentionDenoiser, VaeArch
from models.catalog.licences import LTX_VIDEO_09
from models.catalog.parts import pipeline_files, t5_xxl
from models.catalog.spec import (
    Defaults,
    FrameRule,
    Limits,
    ModelSpec,
    Rounding,
    Size,
    SizeRule,
    WeightsSource,
    WeightsSpec,
)
from models.catalog.training import TrainingDefaults

_ARCH = ArchSpec(
    text=(t5_xxl(tokens=128),),
    denoiser=CrossAttentionDenoiser(
        layers=28,
        dim=2048,
        ffn=8192,
        in_channels=128,
        out_channels=128,
        patch=(1, 1, 1),
        text_tokens=128,
        time_per_token="with-image",
        parameters=1_923_385_472,
        activation_bytes_per_token=65_900,
    ),
    context_parallel_heads=32,
    vae=VaeArch(
        spatial=32,
        temporal=8,
        channels=128,
        decode=ConvCost(first_mflop=1782.185984, next_mflop=7087.7184),
        encode=ConvCost(first_mflop=1569.876992, next_mflop=6648.916992),
        decode_bytes_per_cell=0,
        decode_bytes_per_cell_frame=820_000,
        decode_workspace=1.05,  # under a cap of 22 GiB 5.5 GiB, where the followed tensors are 5.6
        tile_cells=256,
        decoder_parameters=238_789_296,
        parameters=419_193_649,
    ),
)

MODELS = (
    ModelSpec(
        id="ltx-video",
        family="ltx",
        title="LTX-Video 2B 0.9",
        tasks=frozenset({"text-to-video", "image-to-video"}),
        sizes=(
            Size(width=704, height=512),
            Size(width=512, height=704),
            Size(width=768, height=512),
            Size(width=512, height=768),
            Size(width=1216, height=704),
            Size(width=704, height=1216),
        ),
        # The VAE divides each side by 32; the card advises less than 720 x 1280 pixels and 257 frames.
        size_rule=SizeRule(multiple_of=32, min_pixels=256 * 256, max_pixels=1280 * 704),
        frame_rule=FrameRule(step=8, offset=1, min=9, max=257),
        fps=25,
        default=Defaults(size=Size(width=704, height=512), num_frames=161, num_inference_steps=50, guidance_scale=3.0),
        limits=Limits(num_inference_steps=100, prompt_chars=800, prompt_tokens=128, shots=20),
        supports_lora=True,
        training=TrainingDefaults(),
        schedulers=("flow-match-euler",),
        arch=_ARCH,
        weights=WeightsSpec(
            sources=(
                WeightsSource(
                    repo="Lightricks/LTX-Video",
                    revision="8984fa25007f376c1a299016d0957a37a2f797bb",
                    revision_pinned=True,
                    # The repository's root also holds single-file checkpoints of every later version: not taken.
                    files=pipeline_files(),
                    rounding=Rounding(files=("text_encoder/*.safetensors", "transformer/*.safetensors")),
                ),
            ),
            # 1.92e9 and T5-XXL's 4.76e9 parameters in bf16, the VAE's 419e6 in fp32; published in fp32, 26.5 GiB.
            gib=14.0,
        ),
        licence=LTX_VIDEO_09,
    ),
)
