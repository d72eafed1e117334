"""From frames to figures: the background, and one soft mask a figure and frame."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.world.palette import COLOUR_NAMES, colour_rgb, gradient_end

Array = npt.NDArray[np.float32]

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
class Backdrop:
    """The background: its palette colour, whether it is a gradient, and its fitted RGB, [H, W, 3]."""

    colour: str
    gradient: bool
    pixels: Array


def _border_mask(height: int, width: int) -> npt.NDArray[np.bool_]:
    mask = np.ones((height, width), dtype=bool)
    mask[BORDER:-BORDER, BORDER:-BORDER] = False
    return mask


def _nearest_shade(colours: Array) -> npt.NDArray[np.int64]:
    """Index of the palette colour whose line from colour to gradient end is nearest. colours: [N, 3] -> [N]."""
    starts = np.stack([colour_rgb(name) for name in COLOUR_NAMES])
    ways = np.stack([gradient_end(name) for name in COLOUR_NAMES]) - starts
    offsets = colours[:, None] - starts
    along = np.clip((offsets * ways).sum(-1) / (ways * ways).sum(-1), 0, 1)
    return np.asarray(np.linalg.norm(offsets - along[..., None] * ways, axis=-1).argmin(-1))


def read_backdrop(frames: Array) -> Backdrop:
    """The background of frames [F, H, W, 3] in 0..1, from their border: a plane fitted to its colours.

    Pixels that do not fit (a figure that strayed over the edge) are dropped once and the plane fitted again.
    """
    height, width = frames.shape[1:3]
    mask = _border_mask(height, width)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    design = np.stack([np.ones_like(rows), rows / (height - 1) - 0.5, columns / (width - 1) - 0.5], axis=-1)
    samples = np.median(frames[:, mask], axis=0)
    keep = np.ones(len(samples), dtype=bool)
    for _ in range(2):
        plane, *_ = np.linalg.lstsq(design[mask][keep], samples[keep], rcond=None)
        keep = np.linalg.norm(design[mask] @ plane - samples, axis=-1) < FOREGROUND_DISTANCE
        if keep.sum() < len(samples) // 4:
            break
    fitted = (design @ plane).astype(np.float32)
    votes = np.bincount(_nearest_shade(samples), minlength=len(COLOUR_NAMES))
    change = float(np.linalg.norm(plane[1:], axis=-1).max())
    return Backdrop(
        colour=COLOUR_NAMES[int(votes.argmax())], gradient=change > GRADIENT_CHANGE, pixels=np.clip(fitted, 0, 1)
    )


def _interior(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels whose four neighbours are in the mask too, [F, H, W]: edges mix colours."""
    inner = mask.copy()
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    inner[:, :, 1:] &= mask[:, :, :-1]
    inner[:, :, :-1] &= mask[:, :, 1:]
    return inner


def figure_colours(frames: Array, backdrop: Backdrop) -> tuple[str, ...]:
    """Palette colours of the figures in frames [F, H, W, 3], the largest figure first."""
    foreground = np.linalg.norm(frames - backdrop.pixels, axis=-1) > FOREGROUND_DISTANCE
    pixels = frames[_interior(foreground)]
    palette = np.stack([colour_rgb(name) for name in COLOUR_NAMES])
    nearest = np.linalg.norm(pixels[:, None] - palette, axis=-1).argmin(-1)
    counts = np.bincount(nearest, minlength=len(COLOUR_NAMES)).astype(float)
    counts[COLOUR_NAMES.index(backdrop.colour)] = 0
    enough = max(MIN_FIGURE_SHARE * frames[..., 0].size, MIN_FIGURE_RATIO * counts.max())
    order = np.argsort(-counts)
    return tuple(COLOUR_NAMES[i] for i in order if counts[i] >= enough)


def local_mean(values: Array) -> Array:
    """Mean over 3x3 pixels, [F, H, W] -> [F, H, W]."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    height, width = values.shape[1:]
    windows = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.asarray(np.mean(windows, axis=0), dtype=np.float32)


def figure_mask(frames: Array, backdrop: Backdrop, colour: str, others: tuple[str, ...]) -> Array:
    """Soft mask [F, H, W] in 0..1 of the figure of one colour: how far a pixel is from background to colour.

    Pixels nearer to the colour of another figure than to this one's mix with the background belong to that other.
    """
    towards = colour_rgb(colour) - backdrop.pixels
    offsets = frames - backdrop.pixels
    alpha = np.clip((offsets * towards).sum(-1) / (towards * towards).sum(-1), 0, 1)
    mismatch = np.linalg.norm(offsets - alpha[..., None] * towards, axis=-1)
    for other in others:
        other_towards = colour_rgb(other) - backdrop.pixels
        beta = np.clip((offsets * other_towards).sum(-1) / (other_towards * other_towards).sum(-1), 0, 1)
        theirs = np.linalg.norm(offsets - beta[..., None] * other_towards, axis=-1)
        alpha = np.where(theirs < mismatch, 0, alpha)
    return np.where(local_mean(alpha) < SUPPORT, 0, alpha).astype(np.float32)
