"""The small models this project trains and ships, so that everything runs, and is tested, on a CPU."""

from models.catalog.arch import ArchSpec, ConvCost, CrossAttentionDenoiser, TextEncoderArch, VaeArch
from models.catalog.licences import PROJECT
from models.catalog.parts import in_four_steps
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, WeightsSource, WeightsSpec
from models.catalog.training import TrainingDefaults

_SIZES = (Size(width=128, height=128), Size(width=96, height=160), Size(width=160, height=96))
_FRAMES = FrameRule(step=4, offset=1, min=17, max=49)
# Steps and guidance: of those tried, where prompts are followed best (`python -m training evaluate`, model cards).
_DEFAULT = Defaults(size=_SIZES[0], num_frames=33, num_inference_steps=12, guidance_scale=2.5, guidance_scale_2=1.5)
_LIMITS = Limits(num_inference_steps=50, prompt_chars=800, prompt_tokens=512, shots=8)


# The sizes that training/networks builds. WanPipeline pads the text to 512 tokens whatever the prompt.
_DENOISER = CrossAttentionDenoiser(
    layers=6,
    dim=256,
    ffn=704,
    in_channels=16,
    out_channels=16,
    text_dim=128,
    text_tokens=512,
    parameters=6_003_648,
    activation_bytes_per_token=6_000,
)
_SMALLER_DENOISER = _DENOISER.model_copy(update={"dim": 192, "ffn": 768, "parameters": 3_963_520})
_TEXT = TextEncoderArch(
    layers=3,
    dim=128,
    heads=4,
    head_dim=32,
    kv_heads=4,
    ffn=256,
    gated=True,
    tokens=512,
    parameters=532_608,
)
_ARCH = ArchSpec(
    text=(_TEXT,),
    denoiser=_DENOISER,
    experts=2,
    vae=VaeArch(
        spatial=8,
        temporal=4,
        channels=16,
        decode=ConvCost(first_mflop=9.579008, next_mflop=26.663424),
        encode=ConvCost(first_mflop=2.932736, next_mflop=7.628288),
        attention="frame",
        attention_dim=64,
        encode_attention_dim=48,
        decode_bytes_per_cell=72_000,
        decode_bytes_per_cell_frame=6_500,
        tile_cells=1024,
        decoder_parameters=1_527_436,
        parameters=2_121_980,
        weight_bytes=4,
    ),
)


def _shipped(*folders: str) -> WeightsSpec:
    sources = tuple(
        WeightsSource(
            repo=folder,
            revision="shipped",
            revision_pinned=False,
            revision_note="shipped in models/checkpoints; its version is this repository's own commit",
            files=("**/*",),
        )
        for folder in folders
    )
    return WeightsSpec(sources=sources, gib=0.03)


# `python -m training.characters` measures what these make of a character (docs/characters.md).
_TRAINING = TrainingDefaults(
    steps=2_800,
    rank=32,
    learning_rate=2e-3,
    batch_size=6,
    caption_dropout=0.0,
    clip_frames=9,
    # Its world's words for what a picture does in front of the camera.
    camera_moves=(
        ("still", "staying still"),
        ("pan_left", "moving right"),
        ("pan_right", "moving left"),
        ("tilt_up", "moving down"),
        ("tilt_down", "moving up"),
        ("zoom_in", "growing"),
        ("zoom_out", "shrinking"),
        ("bob", "bouncing"),
    ),
    prior_weight=0.25,
    prior_prompts=(
        "a purple star turning around itself on a red background",
        "an orange circle sliding diagonally on a solid blue background",
        "a white square spinning on a gradient black background",
        "a red star moving in circles over a purple background",
        "a yellow star moving to the right and a white square becoming smaller on an orange background",
        "a green triangle moving up over a yellow background",
        "a blue circle staying still in front of a green background",
        "a black triangle bouncing on a white background",
        "um quadrado roxo crescendo em um fundo preto",
        "uma estrela azul caindo sobre um fundo branco em degrade",
        "um triangulo laranja indo para a esquerda, fundo amarelo",
        "um circulo vermelho parado e uma estrela verde quicando num fundo azul",
    ),
)

_WAN_MINI = ModelSpec(
    id="wan-mini",
    family="wan",
    title="Wan mini",
    continued_by="wan-mini-i2v",
    tasks=frozenset({"text-to-video"}),
    sizes=_SIZES,
    frame_rule=_FRAMES,
    fps=16,
    # More steps and guidance than its siblings have: of those tried, where two figures are followed best.
    default=_DEFAULT.model_copy(update={"num_inference_steps": 20, "guidance_scale": 3.0, "guidance_scale_2": 3.0}),
    limits=_LIMITS,
    supports_lora=True,
    training=_TRAINING,
    schedulers=("unipc", "flow-match-euler", "dpm-solver"),
    takes_flow_shift=True,
    arch=_ARCH,
    weights=_shipped("wan-mini"),
    licence=PROJECT,
    embedded=True,
    cpu_kernels="onednn",
)

_WAN_MINI_I2V = _WAN_MINI.variant(
    id="wan-mini-i2v",
    title="Wan mini, image to video",
    default=_DEFAULT,
    training=None,
    arch=_ARCH.model_copy(
        update={
            "denoiser": _SMALLER_DENOISER.model_copy(update={"in_channels": 36, "parameters": 3_978_880}),
            "vae": _ARCH.vae.model_copy(update={"encodes": "video"}),
        }
    ),
    tasks=frozenset({"image-to-video"}),
    weights=_shipped("wan-mini-i2v"),
)


_WAN_MINI_4STEP = in_four_steps(
    _WAN_MINI,
    _shipped("wan-mini", "wan-mini-4step"),
    file="{expert}.safetensors",
    # Three of its steps are above the experts' boundary: there it is decided what the video shows.
    flow_shift=12.0,
)


def _holocine_mini(model_id: str, title: str, *, sparse: bool, max_frames: int) -> ModelSpec:
    return ModelSpec(
        id=model_id,
        family="holocine",
        title=title,
        tasks=frozenset({"text-to-video", "multi-shot"}),
        sizes=_SIZES,
        frame_rule=_FRAMES.model_copy(update={"max": max_frames}),
        fps=16,
        # First-order steps: more of them follow the captions better (figures in the model card).
        default=_DEFAULT.model_copy(update={"num_frames": 49, "num_inference_steps": 20, "guidance_scale_2": 2.5}),
        # One text holds the captions of all shots.
        limits=_LIMITS.model_copy(update={"prompt_chars": 1600, "prompt_tokens": 256, "shots": 4}),
        supports_lora=True,
        multi_shot="native",
        schedulers=("flow-match-euler",),
        arch=_ARCH.model_copy(
            update={
                "text": (_TEXT.model_copy(update={"tokens": 256}),),
                "denoiser": _SMALLER_DENOISER.model_copy(update={"text_tokens": 256, "sparse_shots": sparse}),
            }
        ),
        weights=_shipped("holocine-mini"),
        licence=PROJECT,
        embedded=True,
        cpu_kernels="onednn",
    )


MODELS = (
    _WAN_MINI,
    _WAN_MINI_I2V,
    _WAN_MINI_4STEP,
    # Trained on stories of 49 frames. Sparse attention sees few frames at once and follows its captions at 81 as well;
    # full attention loses the character there (figures in the model card).
    _holocine_mini("holocine-mini", "HoloCine mini (full attention)", sparse=False, max_frames=49),
    _holocine_mini("holocine-mini-sparse", "HoloCine mini (sparse inter-shot attention)", sparse=True, max_frames=81),
)
