"""HunyuanVideo 13B (Tencent), text and image to video. Facts: model cards and diffusers 0.42's documentation."""

from models.catalog.licences import TENCENT_HUNYUAN_COMMUNITY
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, SizeRule, WeightsSource, WeightsSpec

_FILES = (
    "model_index.json",
    "scheduler/*.json",
    "tokenizer/*",
    "tokenizer_2/*",
    "text_encoder/*.json",
    "text_encoder/*.safetensors",
    "text_encoder_2/*.json",
    "text_encoder_2/*.safetensors",
    "transformer/*.json",
    "transformer/*.safetensors",
    "vae/*.json",
    "vae/*.safetensors",
)

_T2V = ModelSpec(
    id="hunyuan-video",
    family="hunyuan_video",
    title="HunyuanVideo 13B",
    tasks=frozenset({"text-to-video"}),
    sizes=(
        Size(width=960, height=544),
        Size(width=544, height=960),
        Size(width=832, height=624),
        Size(width=624, height=832),
        Size(width=720, height=720),
        Size(width=1280, height=720),
        Size(width=720, height=1280),
        Size(width=1104, height=832),
        Size(width=832, height=1104),
        Size(width=960, height=960),
    ),
    size_rule=SizeRule(multiple_of=16, min_pixels=256 * 256, max_pixels=1280 * 720),
    frame_rule=FrameRule(step=4, offset=1, min=5, max=129),
    fps=24,
    # The guidance scale is an input of the distilled transformer: one forward a step, no negative prompt.
    default=Defaults(size=Size(width=960, height=544), num_frames=129, num_inference_steps=50, guidance_scale=6.0),
    limits=Limits(num_inference_steps=100, prompt_chars=1500, prompt_tokens=256, shots=20),
    supports_lora=True,
    supports_negative_prompt=False,
    schedulers=("flow-match-euler",),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="hunyuanvideo-community/HunyuanVideo",
                revision="e8c2aaa66fe3742a32c11a6766aecbf07c56e773",
                revision_pinned=True,
                files=_FILES,
            ),
        ),
        # 12.8e9 parameters, Llama's 8.0e9 and CLIP-L's 123e6 at 2 bytes, the VAE's 246e6 at 4.
        gib=40.0,
    ),
    licence=TENCENT_HUNYUAN_COMMUNITY,
)

_I2V = _T2V.variant(
    id="hunyuan-video-i2v",
    title="HunyuanVideo-I2V 13B",
    tasks=frozenset({"image-to-video"}),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="hunyuanvideo-community/HunyuanVideo-I2V",
                revision="main",
                revision_pinned=False,
                revision_note="no commit hash of this repository could be established when the entry was written",
                files=(*_FILES, "image_processor/*.json"),
            ),
        ),
        # As above; the text encoder is LLaVA, with 0.3e9 more parameters for its eyes.
        gib=40.7,
    ),
)

MODELS = (_T2V, _I2V)
