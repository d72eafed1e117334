"""Parts that several families share: the layout of a pipeline's files, the text encoders, the two Wan autoencoders, and
a two-expert model in four steps."""

from models.catalog.arch import ConvCost, TextEncoderArch, VaeArch
from models.catalog.spec import FusedLora, ModelSpec, WeightsSpec


def pipeline_files(
    *,
    networks: tuple[str, ...] = ("text_encoder", "transformer", "vae"),
    tokenizers: tuple[str, ...] = ("tokenizer",),
    configured: tuple[str, ...] = ("scheduler",),
    weights: str = "*.safetensors",
) -> tuple[str, ...]:
    """Patterns of the files of a pipeline in the diffusers layout; ``weights`` where a repository has several kinds."""
    of_networks = (pattern for name in networks for pattern in (f"{name}/*.json", f"{name}/{weights}"))
    return (
        "model_index.json",
        *(f"{name}/*.json" for name in configured),
        *(f"{name}/*" for name in tokenizers),
        *of_networks,
    )


def t5_xxl(tokens: int) -> TextEncoderArch:
    """T5 v1.1 XXL encoder (google/t5-v1_1-xxl), run at ``tokens`` padded tokens."""
    return TextEncoderArch(
        layers=24,
        dim=4096,
        heads=64,
        head_dim=64,
        kv_heads=64,
        ffn=10240,
        gated=True,
        tokens=tokens,
        parameters=4_762_310_656,
    )


# google/umt5-xxl: T5's shape, a position bias in every layer and a vocabulary of 256,384.
UMT5_XXL = t5_xxl(tokens=512).model_copy(update={"parameters": 5_680_910_336})

# The negative prompt that Wan's own inference uses where none is given (`sample_neg_prompt` of its configuration), and
# HoloCine's with it: an empty one is not what the published guidance scales were chosen with.
WAN_NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，残缺的，"
    "多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
)

WAN_VAE = VaeArch(
    spatial=8,
    temporal=4,
    channels=16,
    decode=ConvCost(first_mflop=687.882752, next_mflop=2161.889792),
    encode=ConvCost(first_mflop=426.039296, next_mflop=1280.731136),
    attention="frame",
    attention_dim=384,
    encode_attention_dim=384,
    decode_bytes_per_cell=1_242_800,
    decode_bytes_per_cell_frame=3_200,
    decode_workspace=1.0,  # shortened (models.speed.decoder): 7.9 GiB at 832x480x81 in float32, 3.9 in bfloat16
    tile_cells=1024,
    strips=True,
    decoder_parameters=73_295_331,
    parameters=126_892_531,
    weight_bytes=4,
)

WAN_22_VAE = VaeArch(
    spatial=16,
    temporal=4,
    channels=48,
    decode=ConvCost(first_mflop=5830.775296, next_mflop=18835.608064),
    encode=ConvCost(first_mflop=1188.800512, next_mflop=3574.556672),
    attention="frame",
    attention_dim=1024,
    encode_attention_dim=640,
    decode_bytes_per_cell=5_496_000,
    decode_bytes_per_cell_frame=12_600,
    decode_workspace=1.0,  # shortened: 20.2 GiB at 1280x704x121 in float32, 10.2 in bfloat16
    tile_cells=256,
    strips=True,
    decoder_parameters=555_049_228,
    parameters=704_688_668,
    weight_bytes=4,
)


def in_four_steps(base: ModelSpec, weights: WeightsSpec, *, file: str, **changes: object) -> ModelSpec:
    """``base`` with a LoRA for each expert in its weights: four Euler steps without guidance. ``file`` is the path of
    the LoRAs in the last source of ``weights``, with ``{expert}`` in it; ``changes`` are further fields."""
    four_steps = {
        "num_inference_steps": 4,
        "guidance_scale": 1.0,
        "guidance_scale_2": 1.0,
        "scheduler": "flow-match-euler",
    }
    made = {
        "id": f"{base.id}-4step",
        "title": f"{base.title}, four steps",
        "default": base.default.model_copy(update=four_steps),
        "training": None,
        "schedulers": ("flow-match-euler",),
        "takes_flow_shift": False,  # they are made for these noise levels
        "weights": weights,
        "fused_loras": tuple(
            FusedLora(repo=weights.sources[-1].repo, file=file.format(expert=expert), expert=expert)
            for expert in ("high_noise", "low_noise")
        ),
        "takes_loras_of": base.id,
    }
    return base.variant(**(made | changes))
