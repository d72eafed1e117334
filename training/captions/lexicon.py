"""What a language offers for each attribute of the world: a small grammar as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Gender = Literal["m", "f"]


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """Words and templates of one language.

    nouns: shape -> (noun, gender); colours: colour -> forms, each a pair (masculine, feminine); `ongoing` and `finite`:
    motion -> phrases that follow a noun ("moving right") or a noun as its verb ("moves right"), pairs by gender.
    Templates use {figure} ("a red circle moving right"), {subject} ("a red circle"), {finite}, {background}.
    """

    name: Literal["en", "pt"]
    nouns: Mapping[str, tuple[tuple[str, Gender], ...]]
    colours: Mapping[str, tuple[tuple[str, str], ...]]
    ongoing: Mapping[str, tuple[tuple[str, str], ...]]
    finite: Mapping[str, tuple[str, ...]]
    articles: tuple[str, str]
    definite: tuple[str, str]
    noun_first: bool
    backgrounds: tuple[str, ...]
    gradients: tuple[str, ...]
    one: tuple[str, ...]
    one_without_background: tuple[str, ...]
    one_without_motion: tuple[str, ...]
    two: tuple[str, ...]
    openings: tuple[str, ...]
    endings: tuple[str, ...]
    introductions: tuple[str, ...]
    shots: tuple[str, ...]


def same(*phrases: str) -> tuple[tuple[str, str], ...]:
    """Phrases that do not change with gender, as (masculine, feminine) pairs."""
    return tuple((phrase, phrase) for phrase in phrases)
