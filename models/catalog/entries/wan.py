"""Wan 2.2 (Alibaba): the two-expert A14B models and the 5B model of both tasks.

Sizes, frames, rates, steps and guidance: the model cards and WanPipeline's documentation in diffusers 0.42.
"""

from models.catalog.arch import ArchSpec, CrossAttentionDenoiser
from models.catalog.licences import APACHE_2
from models.catalog.parts import UMT5_XXL, WAN_22_VAE, WAN_NEGATIVE_PROMPT, WAN_VAE, in_four_steps, pipeline_files
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

# What `WanTransformer3DModel._keep_in_fp32_modules` has in diffusers 0.42, of what has weights.
_KEEPS_FLOAT32 = ("time_embedder", "scale_shift_table", "norm1", "norm2", "norm3")
A14B_EXPERTS = ("transformer/*.safetensors", "transformer_2/*.safetensors")
_ROUNDED_EXPERTS = Rounding(files=A14B_EXPERTS, keeps_float32=_KEEPS_FLOAT32)
_BOTH_EXPERTS = pipeline_files(networks=("text_encoder", "transformer", "transformer_2", "vae"))

T2V_A14B_WEIGHTS = WeightsSource(
    repo="Wan-AI/Wan2.2-T2V-A14B-Diffusers",
    revision="5be7df9619b54f4e2667b2755bc6a756675b5cd7",
    revision_pinned=True,
    files=_BOTH_EXPERTS,
    rounding=_ROUNDED_EXPERTS,
)

A14B_SIZES = (
    Size(width=832, height=480),
    Size(width=480, height=832),
    Size(width=624, height=624),
    Size(width=1280, height=720),
    Size(width=720, height=1280),
    Size(width=960, height=960),
)
# Sides in steps of 16: the VAE divides by 8, the transformer's patches by 2.
A14B_SIZE_RULE = SizeRule(multiple_of=16, min_pixels=256 * 256, max_pixels=1280 * 720)
# 512 tokens of UMT5 hold more than this many characters of Portuguese or English in all but contrived texts.
_LIMITS = Limits(num_inference_steps=100, prompt_chars=3000, prompt_tokens=512, shots=20)

A14B_DENOISER = CrossAttentionDenoiser(
    layers=40,
    dim=5120,
    ffn=13824,
    in_channels=16,
    out_channels=16,
    text_tokens=512,
    parameters=14_288_491_584,
    activation_bytes_per_token=113_300,
)
A14B_ARCH = ArchSpec(text=(UMT5_XXL,), denoiser=A14B_DENOISER, experts=2, context_parallel_heads=40, vae=WAN_VAE)

_T2V = ModelSpec(
    id="wan2.2-t2v-a14b",
    family="wan",
    title="Wan 2.2 T2V-A14B",
    continued_by="wan2.2-i2v-a14b",
    tasks=frozenset({"text-to-video"}),
    sizes=A14B_SIZES,
    size_rule=A14B_SIZE_RULE,
    frame_rule=FrameRule(step=4, offset=1, min=5, max=121),
    fps=16,
    default=Defaults(
        size=Size(width=832, height=480),
        num_frames=81,
        num_inference_steps=40,
        guidance_scale=4.0,
        guidance_scale_2=3.0,
        negative_prompt=WAN_NEGATIVE_PROMPT,
    ),
    limits=_LIMITS,
    supports_lora=True,
    training=TrainingDefaults(),
    schedulers=("unipc", "flow-match-euler", "dpm-solver"),
    takes_flow_shift=True,
    arch=A14B_ARCH,
    # 2 x 14.29e9 and UMT5-XXL's 5.68e9 parameters in bf16, the VAE's 127e6 in fp32; the experts are published in fp32,
    # 57.2 GB each.
    weights=WeightsSpec(sources=(T2V_A14B_WEIGHTS,), gib=64.3),
    licence=APACHE_2,
)

_I2V = _T2V.variant(
    id="wan2.2-i2v-a14b",
    title="Wan 2.2 I2V-A14B",
    training=None,
    # 16 latent channels, 16 of the encoded image and 4 of its mask.
    arch=ArchSpec(
        text=(UMT5_XXL,),
        denoiser=A14B_DENOISER.model_copy(update={"in_channels": 36, "parameters": 14_288_901_184}),
        experts=2,
        context_parallel_heads=40,
        vae=WAN_VAE.model_copy(update={"encodes": "video"}),
    ),
    tasks=frozenset({"image-to-video"}),
    default=Defaults(
        size=Size(width=832, height=480),
        num_frames=81,
        num_inference_steps=40,
        guidance_scale=3.5,
        guidance_scale_2=3.5,
        negative_prompt=WAN_NEGATIVE_PROMPT,
    ),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="Wan-AI/Wan2.2-I2V-A14B-Diffusers",
                revision="596658fd9ca6b7b71d5057529bbf319ecbc61d74",
                revision_pinned=True,
                files=_BOTH_EXPERTS,
                rounding=_ROUNDED_EXPERTS,
            ),
        ),
        gib=64.3,
    ),
)

_TI2V = ModelSpec(
    id="wan2.2-ti2v-5b",
    family="wan",
    title="Wan 2.2 TI2V-5B",
    tasks=frozenset({"text-to-video", "image-to-video"}),
    sizes=(Size(width=1280, height=704), Size(width=704, height=1280)),
    # This model's VAE divides by 16, its patches by 2.
    size_rule=SizeRule(multiple_of=32, min_pixels=256 * 256, max_pixels=1280 * 704),
    frame_rule=FrameRule(step=4, offset=1, min=5, max=121),
    fps=24,
    default=Defaults(
        size=Size(width=1280, height=704),
        num_frames=121,
        num_inference_steps=50,
        guidance_scale=5.0,
        negative_prompt=WAN_NEGATIVE_PROMPT,
    ),
    limits=_LIMITS,
    supports_lora=True,
    training=TrainingDefaults(),
    schedulers=("unipc", "flow-match-euler", "dpm-solver"),
    takes_flow_shift=True,
    arch=ArchSpec(
        text=(UMT5_XXL,),
        denoiser=CrossAttentionDenoiser(
            layers=30,
            dim=3072,
            ffn=14336,
            in_channels=48,
            out_channels=48,
            text_tokens=512,
            time_per_token="always",
            parameters=4_999_787_712,
            # A time embedding for each token, in float32.
            activation_bytes_per_token=199_600,
        ),
        context_parallel_heads=24,
        vae=WAN_22_VAE,
    ),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="Wan-AI/Wan2.2-TI2V-5B-Diffusers",
                revision="b8fff7315c768468a5333511427288870b2e9635",
                revision_pinned=True,
                files=pipeline_files(),
                rounding=Rounding(files=("transformer/*.safetensors",), keeps_float32=_KEEPS_FLOAT32),
            ),
        ),
        # 5.0e9 and 5.68e9 parameters in bf16, the VAE's 705e6 in fp32.
        gib=22.5,
    ),
    licence=APACHE_2,
)


def _lightning(base: ModelSpec, folder: str, *, continued_by: str | None) -> ModelSpec:
    """`base` with the LoRAs of Wan2.2-Lightning, made for noise levels of shift 5 (its card: timesteps 1000, 937.5,
    833.3 and 625)."""
    loras = WeightsSource(
        repo="lightx2v/Wan2.2-Lightning",
        revision="main",
        revision_pinned=False,
        revision_note="no commit hash of this repository could be established when the entry was written",
        files=(f"{folder}/*_noise_model.safetensors",),
    )
    # Two LoRAs of 1.23 GB.
    weights = WeightsSpec(sources=(*base.weights.sources, loras), gib=base.weights.gib + 2.3)
    file = f"{folder}/{{expert}}_model.safetensors"
    return in_four_steps(base, weights, file=file, flow_shift=5.0, continued_by=continued_by)


_T2V_4STEP = _lightning(_T2V, "Wan2.2-T2V-A14B-4steps-lora-rank64-Seko-V1.1", continued_by="wan2.2-i2v-a14b-4step")
_I2V_4STEP = _lightning(_I2V, "Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1", continued_by=None)

MODELS = (_T2V, _I2V, _TI2V, _T2V_4STEP, _I2V_4STEP)
