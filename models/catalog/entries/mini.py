"""The small models this project trains and ships, so that everything runs, and is tested, on a CPU."""

from models.catalog.licences import PROJECT
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, WeightsSource, WeightsSpec

_SIZES = (Size(width=128, height=128), Size(width=96, height=160), Size(width=160, height=96))
_FRAMES = FrameRule(step=4, offset=1, min=17, max=49)
_DEFAULT = Defaults(size=_SIZES[0], num_frames=33, num_inference_steps=8, guidance_scale=3.0)
_LIMITS = Limits(num_inference_steps=50, prompt_chars=400, prompt_tokens=64, shots=8)


def _shipped(model_id: str) -> WeightsSpec:
    source = WeightsSource(
        repo=model_id,
        revision="shipped",
        revision_pinned=False,
        revision_note="shipped in models/checkpoints; its version is this repository's own commit",
        files=("**/*",),
    )
    return WeightsSpec(sources=(source,), gib=0.03)


_WAN_MINI = ModelSpec(
    id="wan-mini",
    family="wan",
    title="Wan mini",
    tasks=frozenset({"text-to-video"}),
    sizes=_SIZES,
    frame_rule=_FRAMES,
    fps=16,
    default=_DEFAULT,
    limits=_LIMITS,
    supports_lora=True,
    schedulers=("flow-match-euler", "unipc"),
    weights=_shipped("wan-mini"),
    licence=PROJECT,
    embedded=True,
)

_WAN_MINI_I2V = _WAN_MINI.variant(
    id="wan-mini-i2v",
    title="Wan mini, image to video",
    tasks=frozenset({"image-to-video"}),
    weights=_shipped("wan-mini-i2v"),
)


def _holocine_mini(model_id: str, title: str) -> ModelSpec:
    return ModelSpec(
        id=model_id,
        family="holocine",
        title=title,
        tasks=frozenset({"text-to-video", "multi-shot"}),
        sizes=_SIZES,
        frame_rule=_FRAMES,
        fps=16,
        default=_DEFAULT.model_copy(update={"num_frames": 49}),
        # One text holds the captions of all shots.
        limits=_LIMITS.model_copy(update={"prompt_chars": 1600, "prompt_tokens": 256, "shots": 4}),
        supports_lora=True,
        multi_shot="native",
        schedulers=("flow-match-euler",),
        weights=_shipped("holocine-mini"),
        licence=PROJECT,
        embedded=True,
    )


MODELS = (
    _WAN_MINI,
    _WAN_MINI_I2V,
    _holocine_mini("holocine-mini", "HoloCine mini (full attention)"),
    _holocine_mini("holocine-mini-sparse", "HoloCine mini (sparse inter-shot attention)"),
)
