"""CogVideoX-5B (Zhipu AI and Tsinghua), text and image to video. Facts: the model cards.

The card names one size only, and frame counts of 8N+1 with N up to 6.
"""

from models.catalog.arch import ArchSpec, ConvCost, JointDenoiser, VaeArch
from models.catalog.licences import COGVIDEOX
from models.catalog.parts import pipeline_files, t5_xxl
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, WeightsSource, WeightsSpec
from models.catalog.training import TrainingDefaults

_SIZE = Size(width=720, height=480)

_DENOISER = JointDenoiser(
    layers=42,
    dim=3072,
    ffn=12288,
    in_channels=16,
    out_channels=16,
    text_tokens=226,
    time_dim=512,
    parameters=5_570_283_072,
    activation_bytes_per_token=74_500,
)
_ARCH = ArchSpec(
    text=(t5_xxl(tokens=226),),
    denoiser=_DENOISER,
    vae=VaeArch(
        spatial=8,
        temporal=4,
        channels=16,
        # Of odd numbers of latent frames, the only ones 8N+1 frames make: pairs cost 9491.677 after the first.
        decode=ConvCost(first_mflop=1388.445696, next_mflop=4745.838592),
        encode=ConvCost(first_mflop=884.719616, next_mflop=2225.11104),
        decode_bytes_per_cell=2_930_000,
        decode_bytes_per_cell_frame=0,
        tile_cells=1350,
        decoder_parameters=123_368_451,
        parameters=215_583_907,
    ),
)

_T2V = ModelSpec(
    id="cogvideox-5b",
    family="cogvideox",
    title="CogVideoX-5B",
    continued_by="cogvideox-5b-i2v",
    tasks=frozenset({"text-to-video"}),
    sizes=(_SIZE,),
    frame_rule=FrameRule(step=8, offset=1, min=9, max=49),
    fps=8,
    default=Defaults(size=_SIZE, num_frames=49, num_inference_steps=50, guidance_scale=6.0),
    limits=Limits(num_inference_steps=100, prompt_chars=1300, prompt_tokens=226, shots=20),
    supports_lora=True,
    training=TrainingDefaults(),
    schedulers=("cogvideox-dpm", "cogvideox-ddim"),
    arch=_ARCH,
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="zai-org/CogVideoX-5b",
                revision="8d6ea3f817438460b25595a120f109b88d5fdfad",
                revision_pinned=True,
                files=pipeline_files(),
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
    training=None,
    # The image's latents are 16 more input channels; this variant learned its positions (65.5 M parameters).
    arch=_ARCH.model_copy(
        update={"denoiser": _DENOISER.model_copy(update={"in_channels": 32, "parameters": 5_570_479_680})}
    ),
    tasks=frozenset({"image-to-video"}),
    weights=WeightsSpec(
        sources=(
            WeightsSource(
                repo="zai-org/CogVideoX-5b-I2V",
                revision="a6f0f4858a8395e7429d82493864ce92bf73af11",
                revision_pinned=True,
                files=pipeline_files(),
            ),
        ),
        # 5.63e9 parameters in the transformer, else as above.
        gib=19.8,
    ),
)

MODELS = (_T2V, _I2V)
