"""Mochi 1 preview (Genmo), text to video. Facts: the model card and MochiPipeline's documentation."""

from models.catalog.licences import APACHE_2
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, SizeRule, WeightsSource, WeightsSpec

MODELS = (
    ModelSpec(
        id="mochi-1",
        family="mochi",
        title="Mochi 1 preview",
        tasks=frozenset({"text-to-video"}),
        sizes=(Size(width=848, height=480), Size(width=480, height=848)),
        size_rule=SizeRule(multiple_of=16, min_pixels=256 * 256, max_pixels=848 * 480),
        # The VAE makes six frames of each latent frame after the first.
        frame_rule=FrameRule(step=6, offset=1, min=7, max=163),
        fps=30,
        default=Defaults(size=Size(width=848, height=480), num_frames=85, num_inference_steps=64, guidance_scale=4.5),
        limits=Limits(num_inference_steps=128, prompt_chars=1500, prompt_tokens=256, shots=20),
        supports_lora=True,
        schedulers=("flow-match-euler",),
        weights=WeightsSpec(
            sources=(
                WeightsSource(
                    repo="genmo/mochi-1-preview",
                    revision="14be5fcea23095ed330cb214647916a451e38b6e",
                    revision_pinned=True,
                    # The repository holds fp32 and bf16 files of each part; only the latter are taken.
                    files=(
                        "model_index.json",
                        "scheduler/*.json",
                        "tokenizer/*",
                        "text_encoder/*.json",
                        "text_encoder/*.bf16*.safetensors",
                        "transformer/*.json",
                        "transformer/*.bf16*.safetensors",
                        "vae/*.json",
                        "vae/*.bf16*.safetensors",
                    ),
                ),
            ),
            # 10.03e9, T5-XXL's 4.76e9 and the VAE's 460e6 parameters in bf16.
            gib=28.4,
        ),
        licence=APACHE_2,
    ),
)
