"""Mochi 1 preview (Genmo), text to video. Facts: the model card and MochiPipeline's documentation."""

from models.catalog.arch import ArchSpec, AsymmetricDenoiser, ConvCost, VaeArch
from models.catalog.licences import APACHE_2
from models.catalog.parts import pipeline_files, t5_xxl
from models.catalog.spec import Defaults, FrameRule, Limits, ModelSpec, Size, SizeRule, WeightsSource, WeightsSpec

_ARCH = ArchSpec(
    text=(t5_xxl(tokens=256),),
    denoiser=AsymmetricDenoiser(
        layers=48,
        dim=3072,
        context_dim=1536,
        ffn=8192,
        context_ffn=4096,
        in_channels=12,
        out_channels=12,
        text_tokens=256,
        parameters=10_027_677_744,
        activation_bytes_per_token=108_700,
    ),
    vae=VaeArch(
        spatial=8,
        temporal=6,
        channels=12,
        # Every latent frame becomes six; of the first one's, five are thrown away.
        decode=ConvCost(first_mflop=6069.209088, next_mflop=6069.209088),
        # Not used: the model takes no image.
        encode=ConvCost(first_mflop=0, next_mflop=0),
        decode_bytes_per_cell=0,
        decode_bytes_per_cell_frame=694_000,
        tile_workspace=0.95,  # under a cap of 22 GiB 10.0 GiB, where the followed tensors are 10.6
        tile_cells=1024,
        decoder_parameters=362_526_595,
        parameters=459_748_611,
    ),
)

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
        # The stock schedule is linear in its first half of steps and divides by their number.
        limits=Limits(min_inference_steps=2, num_inference_steps=128, prompt_chars=1500, prompt_tokens=256, shots=20),
        supports_lora=True,
        schedulers=("flow-match-euler",),
        arch=_ARCH,
        weights=WeightsSpec(
            sources=(
                WeightsSource(
                    repo="genmo/mochi-1-preview",
                    revision="14be5fcea23095ed330cb214647916a451e38b6e",
                    revision_pinned=True,
                    # The repository holds fp32 and bf16 files of each part; only the latter are taken.
                    files=pipeline_files(weights="*.bf16*.safetensors"),
                ),
            ),
            # 10.03e9, T5-XXL's 4.76e9 and the VAE's 460e6 parameters in bf16.
            gib=28.4,
        ),
        licence=APACHE_2,
    ),
)
