"""What of a request decides how much arithmetic it is."""

from dataclasses import dataclass
from itertools import pairwise

from models.catalog import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Work:
    """The size of a generation.

    ``width`` and ``height`` in pixels. ``num_frames`` are those of one generation; a request with shots gives the
    frames of each in ``shot_frames``: a model with native shots makes them in one generation of ``num_frames`` frames,
    any other model makes one generation a shot. ``guidance_scale`` of 1 or less means one forward a step.
    """

    width: int
    height: int
    num_frames: int
    num_inference_steps: int
    guidance_scale: float
    has_image: bool = False
    shot_frames: tuple[int, ...] = ()

    @classmethod
    def default(cls, spec: ModelSpec) -> "Work":
        """The model at its own defaults."""
        default = spec.default
        return cls(
            width=default.size.width,
            height=default.size.height,
            num_frames=default.num_frames,
            num_inference_steps=default.num_inference_steps,
            guidance_scale=default.guidance_scale,
            has_image=spec.needs_image,
        )


@dataclass(frozen=True, kw_only=True)
class LatentGrid:
    """The latents of one generation: ``frames`` x ``height`` x ``width`` cells, and the latent frames of each shot."""

    frames: int
    height: int
    width: int
    shots: tuple[int, ...]

    @property
    def area(self) -> int:
        return self.height * self.width


def latent_grid(spec: ModelSpec, work: Work, num_frames: int) -> LatentGrid:
    """The latents of ``num_frames`` frames; the shots of a native multi-shot request cut at the latent frame in which
    each begins (frame c lies in latent frame (c - 1) // temporal + 1)."""
    vae = spec.arch.vae
    frames = _latent_frame(num_frames - 1, vae.temporal) + 1
    return LatentGrid(
        frames=frames,
        height=work.height // vae.spatial,
        width=work.width // vae.spatial,
        shots=_latent_shots(work.shot_frames, frames, vae.temporal) if spec.multi_shot == "native" else (frames,),
    )


def _latent_frame(frame: int, temporal: int) -> int:
    return (frame - 1) // temporal + 1


def _latent_shots(shot_frames: tuple[int, ...], frames: int, temporal: int) -> tuple[int, ...]:
    starts = {0}
    frame = 0
    for length in shot_frames[:-1]:
        frame += length
        starts.add(_latent_frame(frame, temporal))
    cuts = [*sorted(start for start in starts if start < frames), frames]
    return tuple(end - start for start, end in pairwise(cuts))


def generations(spec: ModelSpec, work: Work) -> tuple[int, ...]:
    """Frame counts of the generations that the work takes: one, or one a shot where shots are not native."""
    if spec.multi_shot == "native" or not work.shot_frames:
        return (work.num_frames,)
    return work.shot_frames
