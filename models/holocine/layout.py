"""Which tokens see which: the runs of video tokens that make the shots, and the text each shot sees."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from models.holocine.errors import PromptError, ShotError
from models.holocine.prompt import TextRanges


class Run(NamedTuple):
    """Latent frames `[start, end)` of shot `shot`."""

    shot: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class ShotLayout:
    """Shots of one video and where their captions stand in its prompt.

    Args:
        shot_of_latent_frame: shot index of each latent frame, from 0.
        text: token ranges of the captions. None leaves cross-attention unmasked: an ordinary prompt, or the negative.

    Raises:
        PromptError: `text` has no global caption.
        ShotError: a shot of the video has no caption in `text`. (Surplus captions are seen by no shot.)
    """

    shot_of_latent_frame: tuple[int, ...]
    text: TextRanges | None

    def __post_init__(self) -> None:
        if not self.shot_of_latent_frame or min(self.shot_of_latent_frame) < 0:
            raise ShotError("a layout needs a shot index >= 0 for each latent frame")
        if self.text is None:
            return
        if self.text.global_caption is None:
            raise PromptError("the prompt has no global caption")
        num_shots, num_captions = max(self.shot_of_latent_frame) + 1, len(self.text.shots)
        if num_shots > num_captions:
            raise ShotError(f"{num_shots} shots in the video, but {num_captions} captions in the prompt")

    def runs(self) -> tuple[Run, ...]:
        """The shots in the order of the video."""
        return tuple(self._runs())

    def _runs(self) -> Iterator[Run]:
        start = 0
        for shot, frames in groupby(self.shot_of_latent_frame):
            end = start + len(list(frames))
            yield Run(shot, start, end)
            start = end

    def visible_text(self, shot: int, length: int) -> tuple[tuple[int, int], ...]:
        """Half-open, disjoint, ascending ranges of the `length` text positions that shot `shot` sees."""
        return ((0, length),) if self.text is None else visible_text(self.text, shot, length)


def visible_text(text: TextRanges, shot: int, length: int) -> tuple[tuple[int, int], ...]:
    """The global caption, the shot's own, and the padding (section 5).

    The weights were trained with every range one token too wide at its end: a shot sees the first token of the next
    caption, and only the last caption's shot sees the end token. Padding is seen by all: its constant key is a sink.
    """
    if text.global_caption is None:
        raise PromptError("the prompt has no global caption")
    start, stop = text.global_caption
    padding = max(stop, *(end for _, end in text.shots)) + 1
    own_start, own_stop = text.shots[shot]
    wanted = [(start, stop + 1), (own_start, own_stop + 1), (padding, length)]
    return _union((a, min(b, length)) for a, b in wanted)


def _union(ranges: Iterator[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    # By their starts alone: an end may be symbolic in a compiled graph, once texts of two lengths were seen.
    for start, end in sorted((r for r in ranges if r[0] < r[1]), key=lambda r: r[0]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
