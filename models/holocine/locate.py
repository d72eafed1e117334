"""Where the captions of a prompt stand among the tokens that the text encoder is given."""

from typing import Any

from diffusers.pipelines.wan.pipeline_wan import prompt_clean

from models.common.texts import require_whole
from models.holocine.errors import PromptError
from models.holocine.prompt import TextRanges, Token, find_spans, include_leading_space, text_ranges, token_shot_ids


def locate_captions(tokenizer: Any, prompt: str, *, max_tokens: int) -> TextRanges | None:
    """Token ranges of the captions in `prompt`, or None if it has no multi-shot markers.

    Captions are looked for in the cleaned text, which is what `WanPipeline` encodes and what offsets refer to.

    Raises:
        TextTooLong: more than `max_tokens` tokens, the end token included.
        PromptError: a caption without any token.
        TypeError: the tokenizer reports no character offsets.
    """
    if not tokenizer.is_fast:
        raise TypeError(f"{type(tokenizer).__name__} reports no character offsets: HoloCine needs a fast tokenizer")
    text = prompt_clean(prompt)
    encoded = tokenizer(text, add_special_tokens=True, return_offsets_mapping=True)
    pieces = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    require_whole(prompt, tokens=len(pieces), max_tokens=max_tokens)
    spans = find_spans(text)
    if not spans:
        return None
    tokens = [Token(piece, *offsets) for piece, offsets in zip(pieces, encoded["offset_mapping"], strict=True)]
    ranges = text_ranges(token_shot_ids(spans, include_leading_space(text, tokens)))
    if (ranges.global_caption is not None) + len(ranges.shots) != len(spans):
        raise PromptError("a caption of the prompt has no token of its own")
    return ranges
