"""From frames to figures, for many clips at once, on any torch device: the background, and one soft mask a figure and
frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from training.world.palette import COLOUR_NAMES, colour_rgb, gradient_end

BORDER = 2
"""Pixels from the edge in which no figure of the world ever is (`tracks.MARGIN`)."""

FOREGROUND_DISTANCE = 0.2
"""RGB distance from the background above which a pixel is a figure's; the palette's closest pair is 0.34 apart."""

GRADIENT_CHANGE = 0.09
"""RGB change over the frame above which a background counts as a gradient; the world's smallest gradient has 0.28."""

MIN_FIGURE_SHARE = 0.003
"""Share of the frame, on average over the frames, from which a patch of one colour counts as a figure."""

MIN_FIGURE_RATIO = 0.12
"""Share of the largest figure's pixels from which another colour counts as a figure and not as a smear."""


SUPPORT = 0.25
"""Mean coverage of a pixel and its neighbours from which it counts: single noisy pixels far off would spoil moments."""


@dataclass(frozen=True, kw_only=True)
class Backdrops:
    """The backgrounds of B clips: palette colours, whether each is a gradient, and the fitted RGB, [B, H, W, 3]."""

    colours: tuple[str, ...]
    gradients: tuple[bool, ...]
    pixels: Tensor


def _palette(device: torch.device) -> Tensor:
    """RGB of the palette's colours in their order, [8, 3]."""
    return torch.tensor(np.stack([colour_rgb(name) for name in COLOUR_NAMES]), device=device)


def _nearest_shade(colours: Tensor) -> Tensor:
    """Index of the palette colour whose line from colour to gradient end is nearest. colours: [..., 3] -> [...]."""
    starts = _palette(colours.device)
    ends = torch.tensor(np.stack([gradient_end(name) for name in COLOUR_NAMES]), device=colours.device)
    ways = ends - starts
    offsets = colours[..., None, :] - starts
    along = ((offsets * ways).sum(-1) / (ways * ways).sum(-1)).clamp(0, 1)
    return torch.as_tensor((offsets - along[..., None] * ways).norm(dim=-1).argmin(-1))


def _design(height: int, width: int, device: torch.device) -> Tensor:
    """1, the row and the column of every pixel, the latter two from -0.5 to 0.5: [H, W, 3]."""
    rows = torch.linspace(-0.5, 0.5, height, device=device)[:, None].expand(height, width)
    columns = torch.linspace(-0.5, 0.5, width, device=device).expand(height, width)
    return torch.stack([torch.ones_like(rows), rows, columns], dim=-1)


def _border(height: int, width: int, device: torch.device) -> Tensor:
    mask = torch.ones(height, width, dtype=torch.bool, device=device)
    mask[BORDER:-BORDER, BORDER:-BORDER] = False
    return mask


def _median(values: Tensor) -> Tensor:
    """Median over the second axis; of an even number the mean of the middle two."""
    ordered = values.sort(dim=1).values
    count = values.shape[1]
    return torch.as_tensor((ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2)


def _fitted_planes(design: Tensor, samples: Tensor, weights: Tensor) -> Tensor:
    """Least squares, [B, 3, RGB]. design: [P, 3]; samples: [B, P, RGB]; weights: [B, P]."""
    weighted = weights[..., None].double() * design.double()
    return torch.as_tensor(torch.linalg.solve(weighted.mT @ design.double(), weighted.mT @ samples.double()).float())


def read_backdrops(frames: Tensor) -> Backdrops:
    """The backgrounds of frames [B, F, H, W, 3] in 0..1, from their border: a plane fitted to its colours.

    Pixels that do not fit (a figure that strayed over the edge) are dropped once and the plane fitted again, unless
    hardly any would be left.
    """
    height, width = frames.shape[2:4]
    design, mask = _design(height, width, frames.device), _border(height, width, frames.device)
    samples = _median(frames[:, :, mask])
    everything = torch.ones(samples.shape[:2], device=frames.device)
    planes = _fitted_planes(design[mask], samples, everything)
    fits = (design[mask] @ planes - samples).norm(dim=-1) < FOREGROUND_DISTANCE
    enough = fits.sum(1, keepdim=True) >= samples.shape[1] // 4
    planes = _fitted_planes(design[mask], samples, torch.where(enough, fits.float(), everything))
    votes = F.one_hot(_nearest_shade(samples), len(COLOUR_NAMES)).sum(1)
    changes = planes[:, 1:].norm(dim=-1).amax(1)
    return Backdrops(
        colours=tuple(COLOUR_NAMES[index] for index in votes.argmax(1).tolist()),
        gradients=tuple(change > GRADIENT_CHANGE for change in changes.tolist()),
        pixels=(design @ planes[:, None]).clamp(0, 1),
    )


def _interior(mask: Tensor) -> Tensor:
    """Pixels whose four neighbours are in the mask too, [..., H, W]: edges mix colours."""
    inner = mask.clone()
    inner[..., 1:, :] &= mask[..., :-1, :]
    inner[..., :-1, :] &= mask[..., 1:, :]
    inner[..., :, 1:] &= mask[..., :, :-1]
    inner[..., :, :-1] &= mask[..., :, 1:]
    return inner


def figure_colours(frames: Tensor, backdrops: Backdrops) -> list[tuple[str, ...]]:
    """Palette colours of the figures in frames [B, F, H, W, 3], of each clip the largest figure first."""
    foreground = _interior(_length(frames - backdrops.pixels[:, None]) > FOREGROUND_DISTANCE)
    known = _palette(frames.device)
    # Distances from the palette but for the pixel's own square, which is the same for all.
    nearest = ((known * known).sum(-1) - 2 * (frames @ known.mT)).argmin(-1)
    counts = torch.stack([((nearest == i) & foreground).sum((1, 2, 3)) for i in range(len(COLOUR_NAMES))], dim=1)
    pixels = frames[0, ..., 0].numel()
    return [
        _large_enough(row, colour, pixels)
        for row, colour in zip(counts.cpu().numpy().astype(float), backdrops.colours, strict=True)
    ]


def _large_enough(counts: npt.NDArray[np.float64], background: str, pixels: int) -> tuple[str, ...]:
    counts[COLOUR_NAMES.index(background)] = 0
    enough = max(MIN_FIGURE_SHARE * pixels, MIN_FIGURE_RATIO * counts.max())
    return tuple(COLOUR_NAMES[i] for i in np.argsort(-counts) if counts[i] >= enough)


def local_mean(values: Tensor) -> Tensor:
    """Mean over 3x3 pixels, with nothing beyond the edges, [..., H, W] -> [..., H, W]."""
    return F.avg_pool2d(values.flatten(0, -3)[:, None], 3, stride=1, padding=1).view(values.shape)


def _length(offsets: Tensor) -> Tensor:
    return (offsets * offsets).sum(-1).sqrt()


def _mixed(offsets: Tensor, towards: Tensor) -> tuple[Tensor, Tensor]:
    """How far offsets from the background go towards a colour, in 0..1, and how far they are off that way."""
    alpha = ((offsets * towards).sum(-1) / (towards * towards).sum(-1)).clamp(0, 1)
    return alpha, _length(offsets - alpha[..., None] * towards)


def figure_masks(frames: Tensor, backdrop: Tensor, colours: Sequence[str]) -> Tensor:
    """Soft masks [colours, F, H, W] in 0..1 of one clip's figures: how far a pixel is from background to colour.

    Pixels nearer to the colour of another figure than to this one's mix with the background belong to that other.
    frames: [F, H, W, 3]; backdrop: [H, W, 3].
    """
    offsets = frames - backdrop
    rgb = [torch.tensor(colour_rgb(colour), device=frames.device) for colour in colours]
    mixes = [_mixed(offsets, colour - backdrop) for colour in rgb]
    alphas = torch.stack([alpha for alpha, _ in mixes])
    off = torch.stack([distance for _, distance in mixes])
    alphas = torch.where(off.amin(0) < off, 0, alphas)
    return torch.where(local_mean(alphas) < SUPPORT, 0, alphas)
