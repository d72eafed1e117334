"""Batched, anti-aliased drawing of scenes, on any torch device.

Every shape is one formula: fold the angle around the centre into half a sector of the n-fold star, and take the signed
distance to the single edge that is left there. A disc is the case without edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.world.palette import INNER_RATIO, OUTER_RADIUS, VERTICES, colour_rgb, gradient_end
from training.world.scene import Scene, Story
from training.world.tracks import Track, random_radius, scene_tracks

MAX_FIGURES = 2


@dataclass(frozen=True, kw_only=True)
class DrawList:
    """A batch of clips as numbers. B clips, K = 2 figures (an absent one has radius 0), F frames.

    motion: [B, K, F, 4] x, y, circumscribed radius, angle (pixels, radians); form: [B, K, 2] vertices, inner ratio;
    colour: [B, K, 3]; background: [B, F, 2, 3] RGB at the two ends of the gradient; axis: [B, 2] direction of the
    gradient (unit steps in x and y).
    """

    motion: Tensor
    form: Tensor
    colour: Tensor
    background: Tensor
    axis: Tensor

    def to(self, device: torch.device | str) -> "DrawList":
        """The same list on another device."""
        return DrawList(**{name: value.to(device) for name, value in vars(self).items()})


@dataclass
class _Arrays:
    motion: np.ndarray
    form: np.ndarray
    colour: np.ndarray
    background: np.ndarray
    axis: np.ndarray

    def put(self, clip: int, frames: slice, scene: Scene, tracks: list[Track]) -> None:
        for k, (figure, track) in enumerate(zip(scene.figures, tracks, strict=True)):
            outer = track.radius * OUTER_RADIUS[figure.shape]
            self.motion[clip, k, frames] = np.stack([track.x, track.y, outer, track.angle], axis=-1)
            self.form[clip, k] = VERTICES[figure.shape], INNER_RATIO[figure.shape]
            self.colour[clip, k] = colour_rgb(figure.colour)
        start = colour_rgb(scene.background)
        end = gradient_end(scene.background) if scene.gradient else start
        self.background[clip, frames] = np.stack([start, end])


def _arrays(clips: int, frames: int) -> _Arrays:
    return _Arrays(
        motion=np.zeros((clips, MAX_FIGURES, frames, 4), np.float32),
        form=np.ones((clips, MAX_FIGURES, 2), np.float32),
        colour=np.zeros((clips, MAX_FIGURES, 3), np.float32),
        background=np.zeros((clips, frames, 2, 3), np.float32),
        axis=np.zeros((clips, 2), np.float32),
    )


def _tensors(arrays: _Arrays) -> DrawList:
    return DrawList(**{name: torch.from_numpy(value) for name, value in vars(arrays).items()})


_AXES = np.asarray([(1, 0), (-1, 0), (0, 1), (0, -1)], dtype=np.float32)


def lay_out(scenes: Sequence[Scene], frames: int, height: int, width: int, rng: np.random.Generator) -> DrawList:
    """Random positions, sizes and speeds for each scene, as numbers to draw."""
    arrays = _arrays(len(scenes), frames)
    for clip, scene in enumerate(scenes):
        arrays.put(clip, slice(None), scene, scene_tracks(scene, frames, height, width, rng))
        arrays.axis[clip] = _AXES[rng.integers(4)]
    return _tensors(arrays)


def lay_out_stories(
    stories: Sequence[Story], starts: Sequence[int], frames: int, height: int, width: int, rng: np.random.Generator
) -> DrawList:
    """As `lay_out` for stories; shot s of each covers frames starts[s] up to starts[s + 1] (the last: to `frames`).

    The character keeps its nominal radius over the cuts.
    """
    arrays = _arrays(len(stories), frames)
    bounds = [*starts, frames]
    for clip, story in enumerate(stories):
        radius = random_radius(1, height, width, rng)
        for shot, begin, end in zip(story.shots, bounds, bounds[1:], strict=False):
            tracks = scene_tracks(shot, end - begin, height, width, rng, radius)
            arrays.put(clip, slice(begin, end), shot, tracks)
        arrays.axis[clip] = _AXES[0]
    return _tensors(arrays)


def coverage(motion: Tensor, form: Tensor, height: int, width: int) -> Tensor:
    """Anti-aliased coverage of one figure, [B, F, H, W] in 0..1. motion: [B, F, 4]; form: [B, 2]."""
    rows = torch.arange(height, device=motion.device, dtype=torch.float32) + 0.5
    columns = torch.arange(width, device=motion.device, dtype=torch.float32) + 0.5
    centre_x, centre_y, outer, angle = (value[..., None, None] for value in motion.unbind(-1))
    x = columns - centre_x
    y = rows[:, None] - centre_y
    vertices, inner = (value[:, None, None, None] for value in form.unbind(-1))
    distance = torch.sqrt(x * x + y * y + 1e-8)
    half_sector = torch.pi / vertices.clamp(min=1)
    # The first vertex points up, so that triangles and stars stand; a square stands on its side.
    upright = torch.where(vertices == 4, torch.pi / 4, torch.pi / 2)
    theta = torch.atan2(y, x) + upright - angle
    folded = (torch.remainder(theta + half_sector, 2 * half_sector) - half_sector).abs()
    inner_x, inner_y = outer * inner * torch.cos(half_sector), outer * inner * torch.sin(half_sector)
    edge_x, edge_y = inner_x - outer, inner_y
    length = torch.sqrt(edge_x * edge_x + edge_y * edge_y + 1e-8)
    local_x, local_y = distance * torch.cos(folded) - outer, distance * torch.sin(folded)
    polygon = (local_x * edge_y - local_y * edge_x) / length
    signed = torch.where(vertices == 0, distance - outer, polygon)
    return (0.5 - signed).clamp(0, 1) * (outer > 0)


def draw(clips: DrawList, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Draw a batch.

    Returns:
        video [B, 3, F, H, W] in -1..1 and figure coverage [B, 1, F, H, W] in 0..1, float32.
    """
    rows = torch.linspace(0, 1, height, device=clips.axis.device)[:, None]
    columns = torch.linspace(0, 1, width, device=clips.axis.device)[None, :]
    axis_x, axis_y = (value[:, None, None] for value in clips.axis.unbind(-1))
    along = (axis_x.clamp(min=0) * columns - axis_x.clamp(max=0) * (1 - columns)) + (
        axis_y.clamp(min=0) * rows - axis_y.clamp(max=0) * (1 - rows)
    )
    start, end = (value.transpose(1, 2)[..., None, None] for value in clips.background.unbind(2))
    video = start + (end - start) * along[:, None, None]
    covered = torch.zeros_like(video[:, :1])
    for k in range(MAX_FIGURES):
        alpha = coverage(clips.motion[:, k], clips.form[:, k], height, width)[:, None]
        video = video + (clips.colour[:, k, :, None, None, None] - video) * alpha
        covered = torch.maximum(covered, alpha)
    return video * 2 - 1, covered


def draw_scenes(scenes: Sequence[Scene], frames: int, height: int, width: int, seed: int) -> np.ndarray:
    """Clips of the scenes as uint8 frames, [B, F, H, W, 3]: ground truth for the judge and for tests."""
    video, _ = draw(lay_out(scenes, frames, height, width, np.random.default_rng(seed)), height, width)
    return to_frames(video)


def to_frames(video: Tensor) -> np.ndarray:
    """[B, 3, F, H, W] in -1..1 -> uint8 [B, F, H, W, 3]."""
    pixels = ((video.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 4, 1).cpu().numpy()
