"""HunyuanVideo 13B (Tencent), text and image to video. Facts: model cards and diffusers 0.42's documentation."""

from models.catalog.arch import ArchSpec, ConvCost, DualStreamDenoiser, TextEncoderArch, VaeArch
from models.catalog.licences import TENCENT_HUNYUAN_COMMUNITY
from models.catalog.parts import pipeline_files
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, SizeRule, WeightsSource, WeightsSpec
from models.catalog.training import TrainingDefaults

_NETWORKS = ("text_encoder", "text_encoder_2", "transformer", "vae")
_TOKENIZERS = ("tokenizer", "tokenizer_2")

_LLAMA_8B = TextEncoderArch(
    layers=32,
    dim=4096,
    heads=32,
    head_dim=128,
    kv_heads=8,
    ffn=14336,
    gated=True,
    # 256 tokens of prompt after a template of 95.
    tokens=351,
    parameters=7_505_186_816,
)
_CLIP_L = TextEncoderArch(
    layers=12,
    dim=768,
    heads=12,
    head_dim=64,
    kv_heads=12,
    ffn=3072,
    gated=False,
    tokens=77,
    parameters=123_060_480,
)
_DENOISER = DualStreamDenoiser(
    layers=20,
    single_layers=40,
    refiner_layers=2,
    dim=3072,
    ffn=12288,
    in_channels=16,
    out_channels=16,
    text_tokens=256,
    pooled_dim=768,
    parameters=12_821_012_544,
    activation_bytes_per_token=111_800,
)
_VAE = VaeArch(
    spatial=8,
    temporal=4,
    channels=16,
    decode=ConvCost(first_mflop=1795.88352, next_mflop=4308.058624),
    encode=ConvCost(first_mflop=784.975872, next_mflop=2321.975296),
    attention="video",
    attention_dim=512,
    encode_attention_dim=512,
    # The stock class decodes 16 frames at a time, every 12: five latent frames a pass, three apart.
    temporal_tile=(5, 3),
    # Half precision, as the documentation runs it.
    decode_bytes_per_cell=2_512_000,
    decode_bytes_per_cell_frame=2_250,
    tile_cells=1024,
    decoder_parameters=146_136_067,
    parameters=246_478_803,
)
_ARCH = ArchSpec(text=(_LLAMA_8B, _CLIP_L), denoiser=_DENOISER, embedded_guidance=True, vae=_VAE)

_T2V = ModelSpec(
    id="hunyuan-video",
    family="hunyuan_video",
    title="HunyuanVideo 13B",
    continued_by="hunyuan-video-i2v",
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
    training=TrainingDefaults(),
    supports_negative_prompt=False,
    schedulers=("flow-match-euler",),
    takes_flow_shift=True,
    arch=_ARCH,
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="hunyuanvideo-community/HunyuanVideo",
                revision="e8c2aaa66fe3742a32c11a6766aecbf07c56e773",
                revision_pinned=True,
                files=pipeline_files(networks=_NETWORKS, tokenizers=_TOKENIZERS),
            ),
        ),
        # 12.8e9 parameters, Llama's 7.5e9 and CLIP-L's 123e6 at 2 bytes, the VAE's 246e6 at 4.
        gib=39.0,
    ),
    licence=TENCENT_HUNYUAN_COMMUNITY,
)

_I2V = _T2V.variant(
    id="hunyuan-video-i2v",
    title="HunyuanVideo-I2V 13B",
    training=None,
    # LLaVA reads the image as 576 tokens; one in four goes on to the denoiser.
    arch=_ARCH.model_copy(
        update={
            "text": (_LLAMA_8B.model_copy(update={"image_tokens": 576, "parameters": 8_355_272_704}), _CLIP_L),
            "denoiser": _DENOISER.model_copy(update={"image_tokens": 144}),
        }
    ),
    tasks=frozenset({"image-to-video"}),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="hunyuanvideo-community/HunyuanVideo-I2V",
                revision="main",
                revision_pinned=False,
                revision_note="no commit hash of this repository could be established when the entry was written",
                files=pipeline_files(
                    networks=_NETWORKS, tokenizers=_TOKENIZERS, configured=("scheduler", "image_processor")
                ),
            ),
        ),
        # As above; the text encoder is LLaVA: 0.85e9 more parameters for eyes and output head.
        gib=40.6,
    ),
)

MODELS = (_T2V, _I2V)
