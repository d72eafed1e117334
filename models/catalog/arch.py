"""The architecture of a model as data: enough to count its arithmetic and its bytes without building it.

The numbers are the published configurations, that is, the defaults of the diffusers 0.42 and transformers classes or
the ``config.json`` of the repositories. Parameter counts were taken from the classes on the meta device;
``tests/unit/models/test_estimate_flops.py`` builds them again and compares.
"""

from typing import Annotated, Literal

from pydantic import Field

from models.catalog.record import Record


class TextEncoderArch(Record):
    """A transformer that reads the prompt. ``tokens`` is the padded length it runs at; with an image ``image_tokens``
    are added. ``gated`` feed-forwards have three matrices, others two. ``parameters`` include the embeddings."""

    layers: int
    dim: int
    heads: int
    head_dim: int
    kv_heads: int
    ffn: int
    gated: bool
    tokens: int
    image_tokens: int = 0
    parameters: int


class _DenoiserArch(Record):
    """What all denoisers share. ``dim`` is heads x head_dim; ``patch`` is latent frames x height x width.

    ``activation_bytes_per_token``: how the peak of one bf16 forward at batch 1 grows with the video tokens, beside the
    weights: followed tensor by tensor through the stock class on the meta device, with fused attention.
    """

    layers: int
    dim: int
    in_channels: int
    out_channels: int
    patch: tuple[int, int, int] = (1, 2, 2)
    text_dim: int = 4096
    text_tokens: int
    parameters: int
    activation_bytes_per_token: int


class CrossAttentionDenoiser(_DenoiserArch):
    """Video tokens attend to themselves, then to the text (Wan, HoloCine, LTX-Video).

    ``time_per_token``: the time embedding is computed for every token (``expand_timesteps``), always, only with an
    input image, or never. ``sparse_shots``: self-attention is limited to the own shot and each shot's first frame.
    """

    kind: Literal["cross-attention"] = "cross-attention"
    ffn: int
    time_dim: int = 256
    time_per_token: Literal["never", "with-image", "always"] = "never"
    sparse_shots: bool = False


class DualStreamDenoiser(_DenoiserArch):
    """Text and video in separate streams with common attention, then in one stream (HunyuanVideo)."""

    kind: Literal["dual-stream"] = "dual-stream"
    single_layers: int
    refiner_layers: int
    ffn: int
    pooled_dim: int
    time_dim: int = 256
    image_tokens: int = 0


class JointDenoiser(_DenoiserArch):
    """Text and video as one sequence through the same matrices (CogVideoX)."""

    kind: Literal["joint"] = "joint"
    ffn: int
    time_dim: int


class AsymmetricDenoiser(_DenoiserArch):
    """Joint attention over a wide video stream and a narrow text stream, gated feed-forwards (Mochi)."""

    kind: Literal["asymmetric"] = "asymmetric"
    context_dim: int
    ffn: int
    context_ffn: int
    time_dim: int = 256


DenoiserArch = Annotated[
    CrossAttentionDenoiser | DualStreamDenoiser | JointDenoiser | AsymmetricDenoiser, Field(discriminator="kind")
]


class ConvCost(Record):
    """Cost of a causal video convolution stack, in MFLOP for each cell of the latent grid (height x width): the first
    latent frame, and each one after it. Exact: a convolution's count is affine in both, as the stock classes count."""

    first_mflop: float
    next_mflop: float


class VaeArch(Record):
    """The autoencoder between pixels and latents.

    ``spatial`` and ``temporal`` are the compression of a side and of the frames after the first. The attention in its
    middle spans a frame (``attention="frame"``) or all frames decoded at once (``"video"``), over ``attention_dim``
    channels. ``temporal_tile``: latent frames a pass and the stride, where the stock class always decodes so.
    Decoding without tiles peaks at ``decode_bytes_per_cell`` and ``decode_bytes_per_cell_frame`` for each latent frame,
    times the cells of the grid, with numbers of ``weight_bytes``; followed as the denoiser's activations are.
    ``decode_workspace``: what convolutions take besides, as a factor. 1.17 is Wan A14B's stock decoder, measured on an
    H200 (`make bench-gpu SECTIONS=decode-wan`): 9.3 GiB where weights and followed tensors are 8.1.
    ``tile_workspace``: the same for pieces of it. Measured under a cap of 22 GiB (`make bench-gpu SECTIONS=capped`,
    2026-11-27): Wan TI2V-5B 9.4 GiB, where weights and followed tensors are 8.2; HunyuanVideo 4.5 beside its streamed
    blocks, where they are 4.2.
    ``tile_cells`` is the class's own tile; ``strips``: the family decodes in a few large strips where they fit.
    ``encodes``: what an input image makes the encoder see, one frame or a whole video padded with zeros.
    """

    spatial: int
    temporal: int
    channels: int
    decode: ConvCost
    encode: ConvCost
    attention: Literal["none", "frame", "video"] = "none"
    attention_dim: int = 0
    encode_attention_dim: int = 0
    temporal_tile: tuple[int, int] | None = None
    encodes: Literal["image", "video"] = "image"
    decode_bytes_per_cell: int
    decode_bytes_per_cell_frame: int
    decode_workspace: float = 1.17
    tile_workspace: float = 1.16
    tile_cells: int
    strips: bool = False
    decoder_parameters: int
    parameters: int
    weight_bytes: int = 2


class ArchSpec(Record):
    """The parts of a model.

    ``experts`` denoisers share the steps, one at a time. ``embedded_guidance``: the guidance scale is an input and no
    second forward is needed. ``context_parallel_heads``: the attention heads that several GPUs can share out, 0 where
    diffusers has no context-parallel plan for the class.
    """

    text: tuple[TextEncoderArch, ...] = Field(min_length=1)
    denoiser: DenoiserArch
    experts: int = 1
    context_parallel_heads: int = 0
    embedded_guidance: bool = False
    vae: VaeArch
