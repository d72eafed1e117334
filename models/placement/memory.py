"""Bytes of each part and phase, in GiB. Weights are counted; activations come from the catalog's followed figures."""

import math

from models.catalog import ModelSpec
from models.catalog.arch import VaeArch
from models.estimate import Layout, Work
from models.estimate.denoiser import num_tokens
from models.estimate.work import LatentGrid, generations, latent_grid

GIB = 2.0**30

ALLOC_CONF = "expandable_segments:True"
"""PYTORCH_ALLOC_CONF of every process that runs a plan: what one phase gives back serves the next one as a whole.
HoloCine at 241 frames reserves 13.7 GiB with it and 15.3 without, of 12.8 predicted (`make bench-gpu
SECTIONS=capped-holocine`, 2026-11-27)."""

# Copies of finished tiles, blended rows and the joined video that tiled decoding holds beside one tile, in videos.
# Followed through AutoencoderKLWan on the meta device: 1.4 at 480p, 3.3 at 720p.
_TILED_OUTPUTS = 3.4
# Pixels by which neighbouring strips overlap: as much as the class's own tiles do.
STRIP_OVERLAP = 64
# More would be thinner than their overlaps are worth.
_MOST_STRIPS = 6
# A text encoder's activations are small beside its weights: 512 tokens of 4096 numbers in a few copies.
TEXT_ACTIVATIONS_GIB = 0.5
# Blocks on the GPU while streaming: one that computes and one that arrives.
_STREAMED_BLOCKS = 2
# Embeddings, heads and modulation that stay while the blocks stream, as a share of the weights. Followed: 1.6% at Wan
# A14B, less elsewhere.
_OUTSIDE_BLOCKS = 0.02
# int8 and fp8 keep a scale a row, and norms, embeddings and heads in bf16: 13.4 of 26.6 GiB for a Wan A14B expert.
_QUANTISED_SHARE = 13.4 / 26.6


def text_gib(spec: ModelSpec, bytes_per_number: int) -> float:
    return sum(part.parameters for part in spec.arch.text) * bytes_per_number / GIB


def expert_gib(spec: ModelSpec, bytes_per_number: int, *, quantised: bool = False) -> float:
    """One denoiser's weights."""
    weights = spec.arch.denoiser.parameters * bytes_per_number / GIB
    return weights * _QUANTISED_SHARE if quantised else weights


def streamed_gib(spec: ModelSpec, bytes_per_number: int) -> float:
    """What of one streamed denoiser is on the GPU at a time."""
    weights = expert_gib(spec, bytes_per_number)
    denoiser = spec.arch.denoiser
    blocks = denoiser.layers + (denoiser.single_layers if denoiser.kind == "dual-stream" else 0)
    # The stock dual-stream blocks are the larger ones: twice a single block's weights.
    largest = weights / blocks * (1.5 if denoiser.kind == "dual-stream" else 1.0)
    return weights * _OUTSIDE_BLOCKS + _STREAMED_BLOCKS * largest


def lora_parameters(spec: ModelSpec, rank: int) -> int:
    """Of the adapter that training puts into one denoiser: rank x (inputs + outputs) of each layer that the families'
    `targets` name. Projections of attention are dim x dim, the text's too: it has been brought to dim before."""
    denoiser = spec.arch.denoiser
    projection = 2 * denoiser.dim
    match denoiser.kind:
        case "cross-attention":  # queries, keys, values and outputs, of the video itself and towards the text
            feed_forward = 2 * (denoiser.dim + denoiser.ffn) if spec.family == "wan" else 0
            sides = denoiser.layers * (8 * projection + feed_forward)
        case "dual-stream":  # both streams have theirs; single blocks put the outputs into their last layer
            blocks = 8 * denoiser.layers + 3 * denoiser.single_layers + 4 * denoiser.refiner_layers
            sides = blocks * projection
        case _:
            sides = 4 * denoiser.layers * projection
    return rank * sides


def vae_gib(spec: ModelSpec, bytes_per_number: int) -> float:
    return spec.arch.vae.parameters * bytes_per_number / GIB


def denoise_gib(spec: ModelSpec, work: Work, layout: Layout, bytes_per_number: int) -> float:
    """Activations of one forward on one GPU. The followed figures are those of 2-byte numbers."""
    tokens = max(num_tokens(spec.arch.denoiser, grid) for grid in _grids(spec, work))
    share = tokens / layout.ulysses
    return share * spec.arch.denoiser.activation_bytes_per_token * (bytes_per_number / 2) / GIB


def shared_gib(spec: ModelSpec, work: Work) -> float:
    """What a guidance pass leaves for the next one where they share the first block, which Wan's do
    (`models.speed.first_block`): one hidden state."""
    if spec.family != "wan":
        return 0.0
    denoiser = spec.arch.denoiser
    return max(num_tokens(denoiser, grid) for grid in _grids(spec, work)) * denoiser.dim * 2 / GIB


def decode_gib(spec: ModelSpec, work: Work, bytes_per_number: int, *, tiled: bool, room_gib: float = 0.0) -> float:
    """Activations, frames and workspace of decoding the longest generation; tiled: in strips where `room_gib` holds
    them, else in the tiles of the stock class."""
    vae = spec.arch.vae
    if not tiled:
        whole = max(grid_decode_gib(spec, grid, tiled=False) for grid in _grids(spec, work))
        return whole * vae.decode_workspace * bytes_per_number / vae.weight_bytes
    pieces = []
    for grid in _grids(spec, work):
        count = strips(vae, grid, bytes_per_number, room_gib)
        cells = strip_cells(vae, grid, count) if count else vae.tile_cells
        pieces.append(pieces_gib(vae, grid, cells, bytes_per_number))
    return max(pieces)


def strips(vae: VaeArch, grid: LatentGrid, bytes_per_number: int, room_gib: float) -> int:
    """The fewest strips of the longer side that can be decoded in `room_gib`; 0 where none can, or the family does not
    know them."""
    for count in range(2, _MOST_STRIPS + 1) if vae.strips else ():
        if pieces_gib(vae, grid, strip_cells(vae, grid, count), bytes_per_number) <= room_gib:
            return count
    return 0


def strip_stride(cells: int, count: int) -> int:
    """Cells of a side from the beginning of one of `count` strips to the next's."""
    return math.ceil(cells / count)


def strip_cells(vae: VaeArch, grid: LatentGrid, count: int) -> int:
    """Cells of the largest of `count` strips."""
    shorter, longer = sorted((grid.height, grid.width))
    return shorter * (strip_stride(longer, count) + STRIP_OVERLAP // vae.spatial)


def pieces_gib(vae: VaeArch, grid: LatentGrid, cells: int, bytes_per_number: int) -> float:
    """Of decoding one generation in pieces of so many cells."""
    return _tensors_gib(vae, grid, cells) * vae.tile_workspace * bytes_per_number / vae.weight_bytes


def grid_decode_gib(spec: ModelSpec, grid: LatentGrid, *, tiled: bool) -> float:
    """Tensors of decoding one generation in the published precision, whole or in the tiles of the stock class."""
    vae = spec.arch.vae
    return _tensors_gib(vae, grid, vae.tile_cells if tiled else grid.area)


def _tensors_gib(vae: VaeArch, grid: LatentGrid, cells: int) -> float:
    """Of one piece of so many cells, and of what pieces leave behind."""
    per_cell = vae.decode_bytes_per_cell + vae.decode_bytes_per_cell_frame * grid.frames
    if grid.area <= cells:
        return per_cell * grid.area / GIB
    pixels = grid.area * vae.spatial**2 * ((grid.frames - 1) * vae.temporal + 1)
    return (per_cell * cells + _TILED_OUTPUTS * pixels * 3 * vae.weight_bytes) / GIB


def _grids(spec: ModelSpec, work: Work) -> list[LatentGrid]:
    return [latent_grid(spec, work, num_frames) for num_frames in generations(spec, work)]
