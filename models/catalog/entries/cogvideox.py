"""CogVideoX-5B (Zhipu AI and Tsinghua), text and image to video. Facts: the model cards.

The card names one size only, and frame counts of 8N+1 with N up to 6.
"""

from models.catalog.licences import COGVIDEOX
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, WeightsSource, WeightsSpec

_FILES = (
    "model_index.json",
    "scheduler/*.json",
    "tokenizer/*",
    "text_encoder/*.json",
    "text_encoder/*.safetensors",
    "transformer/*.json",
    "transformer/*.safetensors",
    "vae/*.json",
    "vae/*.safetensors",
)
_SIZE = Size(width=720, height=480)

_T2V = ModelSpec(
    id="cogvideox-5b",
    family="cogvideox",
    title="CogVideoX-5B",
    tasks=frozenset({"text-to-video"}),
    sizes=(_SIZE,),
    frame_rule=FrameRule(step=8, offset=1, min=9, max=49),
    fps=8,
    default=Defaults(size=_SIZE, num_frames=49, num_inference_steps=50, guidance_scale=6.0),
    limits=Limits(num_inference_steps=100, prompt_chars=1300, prompt_tokens=226, shots=20),
    supports_lora=True,
    schedulers=("cogvideox-dpm", "cogvideox-ddim"),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="zai-org/CogVideoX-5b",
                revision="8d6ea3f817438460b25595a120f109b88d5fdfad",
                revision_pinned=True,
                files=_FILES,
            ),
        ),
        # 5.57e9, T5-XXL's 4.76e9 and the VAE's 216e6 parameters in bf16.
        gib=19.6,
    ),
    licence=COGVIDEOX,
)

_I2V = _T2V.variant(
    id="cogvideox-5b-i2v",
    title="CogVideoX-5B-I2V",
    tasks=frozenset({"image-to-video"}),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="zai-org/CogVideoX-5b-I2V",
                revision="a6f0f4858a8395e7429d82493864ce92bf73af11",
                revision_pinned=True,
                files=_FILES,
            ),
        ),
        # 5.63e9 parameters in the transformer, else as above.
        gib=19.8,
    ),
)

MODELS = (_T2V, _I2V)
