"""The word-level tokenizer shared by all miniature models.

Case and accents are dropped, words outside the vocabulary become `<unk>`, and HoloCine's markers are single tokens.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import NFD, Lowercase, StripAccents
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from training.captions.compose import CUT_MARKER, GLOBAL_MARKER, LEXICONS, SHOTS_MARKER
from training.captions.lexicon import Lexicon

PAD: Final = "<pad>"
END: Final = "</s>"
UNKNOWN: Final = "<unk>"
MARKERS: Final = (
    GLOBAL_MARKER,
    SHOTS_MARKER,
    CUT_MARKER,
    "[character1]",
    "[character2]",
    "[character3]",
    "[character4]",
)
MAX_LENGTH: Final = 512
"""Tokens WanPipeline pads to."""

_ALWAYS = "This scene contains 1 2 3 4 5 shots an . , : ; - ! ?"
_WORD = re.compile(r"\w+|[^\w\s]+")


def _phrases(lexicon: Lexicon) -> Iterator[str]:
    for value in vars(lexicon).values():
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
        stack = list(parts)
        while stack:
            part = stack.pop()
            if isinstance(part, str):
                yield re.sub(r"\{\w+\}|\[\w+\]", " ", part)
            else:
                stack.extend(part)


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).lower()


def vocabulary() -> dict[str, int]:
    """Word -> id. Padding is 0 and the end of text 1, as in the umT5 tokenizers."""
    words = {
        word for lexicon in LEXICONS.values() for text in _phrases(lexicon) for word in _WORD.findall(_plain(text))
    }
    words |= set(_WORD.findall(_plain(_ALWAYS)))
    return {word: i for i, word in enumerate((PAD, END, UNKNOWN, *MARKERS, *sorted(words)))}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, made from the captions' grammar alone."""
    tokenizer = Tokenizer(WordLevel(vocabulary(), unk_token=UNKNOWN))
    tokenizer.normalizer = Normalizers([NFD(), StripAccents(), Lowercase()])
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    tokenizer.add_tokens([AddedToken(marker, normalized=False) for marker in MARKERS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, unk_token=UNKNOWN, model_max_length=MAX_LENGTH
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a shipped checkpoint."""
    return AutoTokenizer.from_pretrained(folder)
