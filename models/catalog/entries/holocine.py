"""HoloCine-14B: multi-shot videos in one generation, over Wan 2.2 T2V-A14B's text encoder and VAE.

Facts from the project's own specification of the model. ``full`` attends to everything, ``sparse`` to the own shot and
each shot's first latent frame; the two have their own checkpoints.
"""

from models.catalog.entries.wan import (
    A14B_ARCH,
    A14B_DENOISER,
    A14B_EXPERTS,
    A14B_SIZE_RULE,
    A14B_SIZES,
    T2V_A14B_WEIGHTS,
)
from models.catalog.licences import HOLOCINE
from models.catalog.parts import WAN_NEGATIVE_PROMPT
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, WeightsSource, WeightsSpec


def _weights(variant: str) -> WeightsSpec:
    checkpoints = WeightsSource(
        repo="hlwang06/HoloCine",
        revision="main",
        revision_pinned=False,
        revision_note="no commit hash of this repository could be established when the entry was written",
        files=(
            f"HoloCine_dit/{variant}/{variant}_high_noise.safetensors",
            f"HoloCine_dit/{variant}/{variant}_low_noise.safetensors",
        ),
    )
    # Wan's experts are replaced: their configuration is taken, their 114 GB are not.
    base = T2V_A14B_WEIGHTS.model_copy(
        update={
            "files": tuple(pattern for pattern in T2V_A14B_WEIGHTS.files if pattern not in A14B_EXPERTS),
            "rounding": None,
        }
    )
    # 2 x 14.29e9 parameters and the encoder's 5.68e9 in bf16, the VAE's 127e6 in fp32.
    return WeightsSpec(sources=(checkpoints, base), gib=64.3)


def _holocine(model_id: str, title: str, variant: str) -> ModelSpec:
    return ModelSpec(
        id=model_id,
        family="holocine",
        title=title,
        tasks=frozenset({"text-to-video", "multi-shot"}),
        sizes=A14B_SIZES,
        size_rule=A14B_SIZE_RULE,
        # Trained at 241 frames; 81 is the documented choice for small cards.
        frame_rule=FrameRule(step=4, offset=1, min=17, max=241),
        fps=15,
        default=Defaults(
            size=Size(width=832, height=480),
            num_frames=241,
            num_inference_steps=50,
            guidance_scale=5.0,
            negative_prompt=WAN_NEGATIVE_PROMPT,
        ),
        # The prompt of all shots together has to fit 512 tokens, so more shots would leave too few words to each.
        limits=Limits(num_inference_steps=100, prompt_chars=3000, prompt_tokens=512, shots=20),
        supports_lora=True,
        multi_shot="native",
        schedulers=("flow-match-euler",),
        arch=A14B_ARCH.model_copy(
            # Shots cut across the sequence, so the plan of the plain class does not apply.
            update={
                "context_parallel_heads": 0,
                "denoiser": A14B_DENOISER.model_copy(update={"sparse_shots": variant == "sparse"}),
            }
        ),
        weights=_weights(variant),
        licence=HOLOCINE,
    )


MODELS = (
    _holocine("holocine-14b", "HoloCine-14B (full attention)", "full"),
    _holocine("holocine-14b-sparse", "HoloCine-14B (sparse inter-shot attention)", "sparse"),
)
