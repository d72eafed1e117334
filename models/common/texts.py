"""Whether a model reads a text to its end. The stock pipelines cut off what is too long, and say so in a log only."""

from __future__ import annotations

from typing import Any

from models.common.shots import shot_texts
from models.interface import GenerationRequest, UnsupportedRequest

_SHOWN_CHARS = 40


class TextTooLong(UnsupportedRequest):
    """`text` has more tokens than the model reads: what stands at its end would have no effect."""

    def __init__(
        self, text: str, *, tokens: int, max_tokens: int, param: str = "prompt", subject: str | None = None
    ) -> None:
        """`subject`: what has the tokens, in a sentence for the caller. Special tokens count in both numbers."""
        told = subject or f"the text that begins with {text[:_SHOWN_CHARS]!r}"
        super().__init__(f"{param}: {told} has {tokens} tokens; the model reads {max_tokens}", param=param)
        self.text = text
        self.tokens = tokens
        self.max_tokens = max_tokens


def require_whole(text: str, *, tokens: int, max_tokens: int) -> None:
    """Raises `TextTooLong` where `text`, of so many tokens, would be cut."""
    if tokens > max_tokens:
        raise TextTooLong(text, tokens=tokens, max_tokens=max_tokens)


def count_tokens(tokenizer: Any, text: str) -> int:
    """Tokens of `text` with the special ones that the tokenizer adds, nothing cut."""
    return len(tokenizer(text, verbose=False).input_ids)


def named(error: TextTooLong, request: GenerationRequest) -> TextTooLong:
    """`error` under the name of the field of `request` that its text is from: encoders are given texts, not fields."""
    param, subject = _origin(error.text, request)
    return TextTooLong(error.text, tokens=error.tokens, max_tokens=error.max_tokens, param=param, subject=subject)


def _origin(text: str, request: GenerationRequest) -> tuple[str, str]:
    texts = shot_texts(request)
    if text not in texts:
        return "negative_prompt", "the negative prompt"
    if not request.shots:
        return "prompt", "the whole prompt"
    subject = "the shot's text, the request's prompt before it," if request.prompt.strip() else "the shot's text"
    return f"shots[{texts.index(text)}].prompt", subject
