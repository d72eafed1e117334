"""The multi-shot prompt: one string with three literal markers, and which of its tokens belong to which caption.

    [global caption] <scene> [per shot caption] <shot 1> [shot cut] <shot 2> ... [shot cut] <shot S>

Markers are case sensitive. Section numbers in this package refer to the HoloCine inference specification,
summed up in docs/holocine.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from models.holocine.errors import PromptError

GLOBAL_MARKER = "[global caption]"
PER_SHOT_MARKER = "[per shot caption]"
CUT_MARKER = "[shot cut]"
MARKERS = (GLOBAL_MARKER, PER_SHOT_MARKER, CUT_MARKER)

GLOBAL = -1
"""Id of tokens of the global caption; shots count from 0."""
NOWHERE = -2
"""Id of tokens in no caption: the end token, padding, text ahead of the global marker."""

_SHOT_COUNT_PHRASE = "This scene contains"
_META_SPACE = "\u2581"


class CaptionSpan(NamedTuple):
    """Characters `[start, end)` of the prompt that caption `shot` owns (`GLOBAL` or a shot from 0)."""

    shot: int
    start: int
    end: int


class Token(NamedTuple):
    """One token of the cleaned prompt with its character offsets `[start, end)`; the end token has start == end."""

    piece: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class TextRanges:
    """Half-open token ranges of the captions; `global_caption` is None when the prompt has no global marker."""

    global_caption: tuple[int, int] | None
    shots: tuple[tuple[int, int], ...]


def structured_prompt(global_caption: str, shot_captions: Sequence[str]) -> str:
    """The prompt string the weights were trained on, of a global caption and the captions of the shots (section 2)."""
    if _SHOT_COUNT_PHRASE not in global_caption:
        # "1 shots" is what the training captions say.
        global_caption = f"{global_caption.strip()} {_SHOT_COUNT_PHRASE} {len(shot_captions)} shots."
    shots = f" {CUT_MARKER} ".join(shot_captions)
    return f"{GLOBAL_MARKER} {global_caption} {PER_SHOT_MARKER} {shots}"


def check_captions(global_caption: str, shot_captions: Sequence[str]) -> None:
    """Refuse captions that would shift the shots: empty ones, and markers inside a caption.

    Raises:
        PromptError: naming the caption.
    """
    for name, caption in [
        ("prompt", global_caption),
        *((f"shots[{i}].prompt", c) for i, c in enumerate(shot_captions)),
    ]:
        if not caption.strip():
            raise PromptError("the caption is empty", param=name)
        for marker in MARKERS:
            if marker in caption:
                raise PromptError(f"the marker {marker!r} cannot stand inside a caption", param=name)


def find_spans(text: str) -> tuple[CaptionSpan, ...]:
    """Character spans of the captions in `text`, global first (section 4).

    `text` must be the string whose offsets the tokenizer reports, that is the cleaned prompt.
    """
    spans = []
    global_start, shots_start = text.find(GLOBAL_MARKER), text.find(PER_SHOT_MARKER)
    if global_start >= 0:
        spans.append(CaptionSpan(GLOBAL, global_start, shots_start if shots_start >= 0 else len(text)))
    if shots_start >= 0:
        # A shot owns the separator behind it.
        edges = [shots_start, *_ends_of(text, CUT_MARKER)]
        if edges[-1] < len(text):
            edges.append(len(text))
        spans += [CaptionSpan(i, a, b) for i, (a, b) in enumerate(pairwise(edges))]
    return tuple(spans)


def _ends_of(text: str, marker: str) -> Iterable[int]:
    position = text.find(marker)
    while position >= 0:
        yield position + len(marker)
        position = text.find(marker, position + len(marker))


def count_captions(text: str) -> int | None:
    """Number of shot captions in a raw prompt, or None where it has no marker at all (an ordinary prompt).

    Raises:
        PromptError: some markers are missing, or stand in an order that gives no sequence of shots.
    """
    present = [marker for marker in MARKERS if marker in text]
    if not present:
        return None
    if not {GLOBAL_MARKER, PER_SHOT_MARKER} <= set(present):
        raise PromptError(f"a multi-shot prompt needs {GLOBAL_MARKER!r} and {PER_SHOT_MARKER!r}; found only {present}")
    shots_start = text.index(PER_SHOT_MARKER)
    if text.index(GLOBAL_MARKER) > shots_start:
        raise PromptError(f"{GLOBAL_MARKER!r} must come before {PER_SHOT_MARKER!r}")
    if CUT_MARKER in text[:shots_start]:
        raise PromptError(f"{CUT_MARKER!r} cannot stand inside the global caption")
    for marker in (GLOBAL_MARKER, PER_SHOT_MARKER):
        if text.count(marker) > 1:
            raise PromptError(f"{marker!r} stands more than once in the prompt")
    return len(find_spans(text)) - 1


def include_leading_space(text: str, tokens: Iterable[Token]) -> list[Token]:
    """Offsets that count the space before a word as part of its token, whatever the tokenizer's version.

    transformers 4 reports them so, transformers 5 leaves the space out, and the weights were trained with the
    former: the first piece of `[per shot caption]` belongs to the global caption (section 4).
    """
    return [
        token._replace(start=token.start - 1)
        if token.piece.startswith(_META_SPACE) and token.start > 0 and text[token.start - 1].isspace()
        else token
        for token in tokens
    ]


def token_shot_ids(spans: Sequence[CaptionSpan], tokens: Iterable[Token]) -> list[int]:
    """The caption each token belongs to: the first span it overlaps; `GLOBAL`, a shot, or `NOWHERE`."""
    return [_owner(spans, token) for token in tokens]


def _owner(spans: Sequence[CaptionSpan], token: Token) -> int:
    if token.start == token.end:
        return NOWHERE
    return next((span.shot for span in spans if token.start < span.end and token.end > span.start), NOWHERE)


def text_ranges(ids: Sequence[int]) -> TextRanges:
    """Token ranges of the captions. A shot without tokens is left out; compare the count with the spans'."""
    shots = (_range_of(ids, shot) for shot in range(max(ids, default=NOWHERE) + 1))
    return TextRanges(global_caption=_range_of(ids, GLOBAL), shots=tuple(found for found in shots if found is not None))


def _range_of(ids: Sequence[int], wanted: int) -> tuple[int, int] | None:
    positions = [i for i, found in enumerate(ids) if found == wanted]
    return (positions[0], positions[-1] + 1) if positions else None
