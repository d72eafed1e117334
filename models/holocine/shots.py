"""Frames, cuts and the shot of each latent frame (section 3). Pure arithmetic.

A cut is the 0-based index of the first frame of the new shot. The VAE makes one latent frame of frame 0 and one of
every four frames after it, so that a cut on frame 4t + 1 falls between two latent frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from models.catalog.cuts import even_cuts, round_frames
from models.holocine.errors import PromptError, ShotError
from models.holocine.prompt import check_captions, count_captions, structured_prompt

DEFAULT_NUM_FRAMES = 81
"""Frames where a raw prompt comes without a count (section 3)."""
SIZE_MULTIPLE = 16
"""Pixels: 8 of the VAE times 2 of the patches."""


@dataclass(frozen=True, kw_only=True)
class ShotSequence:
    """What is generated: the whole prompt, 4k + 1 frames, and the cuts (None: no shots are known)."""

    prompt: str
    num_frames: int
    cuts: tuple[int, ...] | None

    @property
    def shot_of_latent_frame(self) -> tuple[int, ...] | None:
        """Shot index of each of the (num_frames - 1) / 4 + 1 latent frames."""
        return None if self.cuts is None else latent_shot_indices(self.cuts, self.num_frames)


def round_size(height: int, width: int, num_frames: int) -> tuple[int, int, int]:
    """Height, width (pixels) and frames that can be generated, each rounded up."""
    up = -(-height // SIZE_MULTIPLE) * SIZE_MULTIPLE, -(-width // SIZE_MULTIPLE) * SIZE_MULTIPLE
    return *up, num_frames if num_frames % 4 == 1 else 4 * -(-num_frames // 4) + 1


def latent_shot_indices(cuts: Sequence[int], num_frames: int) -> tuple[int, ...]:
    """Shot index of each latent frame, from 0. Cuts outside the video are no cuts; order and repeats do not matter."""
    num_latent_frames = (num_frames - 1) // 4 + 1
    starts = {(cut - 1) // 4 + 1 for cut in cuts if cut > 0}
    return tuple(sum(start <= frame for start in starts) for frame in range(num_latent_frames))


def resolve_sequence(
    *,
    global_caption: str | None = None,
    shot_captions: Sequence[str] = (),
    prompt: str | None = None,
    num_frames: int | None = None,
    cuts: Sequence[int] | None = None,
) -> ShotSequence:
    """Prompt, frames and cuts as the weights' own inference resolves them, roundings included.

    Structured when both `global_caption` and `shot_captions` are given, else raw from `prompt`.
    `plan_captions` and `plan_prompt` accept only what this changes nothing of.

    Raises:
        PromptError: neither form of prompt.
        ShotError: structured without `num_frames`.
    """
    if global_caption and shot_captions:
        if num_frames is None:
            raise ShotError("the frames of the video are needed where shots are given", param="num_frames")
        frames = round_frames(num_frames)
        rounded = [round_frames(cut) for cut in cuts] if cuts else even_cuts(frames, len(shot_captions))
        return ShotSequence(
            prompt=structured_prompt(global_caption, shot_captions),
            num_frames=frames,
            cuts=tuple(sorted({cut for cut in rounded if 0 < cut < frames})),
        )
    if not prompt:
        raise PromptError("neither a prompt nor a global caption with captions of shots")
    return ShotSequence(
        prompt=prompt,
        num_frames=DEFAULT_NUM_FRAMES if num_frames is None else round_frames(num_frames),
        cuts=None if cuts is None else tuple(round_frames(cut) for cut in cuts),
    )


def plan_captions(
    global_caption: str, shot_captions: Sequence[str], *, num_frames: int, cuts: Sequence[int] | None = None
) -> ShotSequence:
    """The sequence of a global caption and shot captions; `cuts` None makes shots of about equal length.

    Raises:
        PromptError: a caption is empty or holds a marker.
        ShotError: frames or cuts that would be rounded, or not one shot a caption.
    """
    check_captions(global_caption, shot_captions)
    sequence = resolve_sequence(
        global_caption=global_caption, shot_captions=shot_captions, num_frames=num_frames, cuts=cuts
    )
    _check_exact(sequence, num_frames=num_frames, cuts=cuts, num_captions=len(shot_captions))
    return sequence


def plan_prompt(prompt: str, *, num_frames: int, cuts: Sequence[int] | None = None) -> ShotSequence:
    """The sequence of a raw prompt.

    Without `cuts`, its markers say how many shots there are, and these become about equally long; a prompt without
    markers is one shot. (The weights' own inference knows no shots then: the full variant ran without its window
    and the sparse one failed.)

    Raises:
        PromptError, ShotError: as `plan_captions`; also markers that make no sequence.
    """
    if not prompt.strip():
        raise PromptError("the prompt is empty")
    num_captions = count_captions(prompt) or 1
    given = even_cuts(num_frames, num_captions) if cuts is None else cuts
    sequence = resolve_sequence(prompt=prompt, num_frames=num_frames, cuts=given)
    _check_exact(sequence, num_frames=num_frames, cuts=given, num_captions=num_captions)
    return sequence


def _check_exact(sequence: ShotSequence, *, num_frames: int, cuts: Sequence[int] | None, num_captions: int) -> None:
    """Nothing was rounded, dropped or merged, and each caption has its shot."""
    if sequence.num_frames != num_frames or num_frames < 1:
        raise ShotError(
            f"{num_frames} frames are not 4k + 1; the nearest is {max(sequence.num_frames, 1)}", param="num_frames"
        )
    if list(cuts or ()) != sorted({cut for cut in cuts or () if 0 < cut < num_frames and cut % 4 == 1}):
        raise ShotError(f"cuts {list(cuts or ())} must be ascending frames 4k + 1 below {num_frames}")
    indices = sequence.shot_of_latent_frame or ()
    num_shots = max(indices) + 1
    if num_shots != num_captions:
        raise ShotError(f"{num_captions} captions but {num_shots} shots in {num_frames} frames")


def cuts_of_shot_lengths(lengths: Sequence[int], *, num_frames: int) -> tuple[int, ...]:
    """Cuts of shots of the given lengths in frames; together they fill the video.

    The first shot is 4k + 1 frames long and the others 4k, because cuts fall between latent frames.

    Raises:
        ShotError: lengths that do not add up, or a cut inside a latent frame (naming the nearest length).
    """
    if sum(lengths) != num_frames:
        raise ShotError(f"shots of {list(lengths)} frames add up to {sum(lengths)}, not to {num_frames}")
    for i, length in enumerate(lengths):
        first = int(i == 0)
        if length < 1 or length % 4 != first:
            nearest = max(round_frames(length) if first else 4 * round(length / 4), first or 4)
            rule = "4k + 1" if first else "4k"
            raise ShotError(
                f"a shot of {length} frames is not {rule}; the nearest is {nearest}", param=f"shots[{i}].num_frames"
            )
    return tuple(accumulate(lengths))[:-1]
