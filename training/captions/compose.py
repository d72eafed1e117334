"""From scenes and stories to sentences."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np

from training.captions.english import ENGLISH
from training.captions.lexicon import Gender, Lexicon
from training.captions.portuguese import PORTUGUESE
from training.world.scene import Figure, Scene, Story

Language = Literal["en", "pt"]
LEXICONS: Final[Mapping[Language, Lexicon]] = {"en": ENGLISH, "pt": PORTUGUESE}

GLOBAL_MARKER: Final = "[global caption]"
SHOTS_MARKER: Final = "[per shot caption]"
CUT_MARKER: Final = "[shot cut]"

PARTIAL_SHARE: Final = 0.06
"""Share of one-figure captions that leave the background, or the motion, unsaid."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A sentence and what it says: `says_background` and `says_motion` are False where the reader is left free."""

    text: str
    language: Language
    says_background: bool = True
    says_motion: bool = True


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def _gendered(forms: tuple[str, str], gender: Gender) -> str:
    return forms[0] if gender == "m" else forms[1]


def _with_article(lexicon: Lexicon, article: str, words: str) -> str:
    if lexicon.name == "en" and article == "a" and words[0] in "aeio":
        article = "an"
    return f"{article} {words}"


@dataclass(frozen=True)
class _Words:
    """A figure's phrases in one language, already agreeing in gender."""

    subject: str
    definite: str
    ongoing: str
    finite: str

    @property
    def figure(self) -> str:
        return f"{self.subject} {self.ongoing}"


def _words(figure: Figure, lexicon: Lexicon, rng: np.random.Generator) -> _Words:
    noun, gender = _pick(rng, lexicon.nouns[figure.shape])
    colour = _gendered(_pick(rng, lexicon.colours[figure.colour]), gender)
    named = f"{noun} {colour}" if lexicon.noun_first else f"{colour} {noun}"
    article, definite = _gendered(lexicon.articles, gender), _gendered(lexicon.definite, gender)
    return _Words(
        subject=_with_article(lexicon, article, named),
        definite=f"{definite} {named}",
        ongoing=_gendered(_pick(rng, lexicon.ongoing[figure.motion]), gender),
        finite=_pick(rng, lexicon.finite[figure.motion]),
    )


def _background(scene: Scene, lexicon: Lexicon, rng: np.random.Generator) -> str:
    colour = _pick(rng, lexicon.colours[scene.background])[0]
    return _pick(rng, lexicon.gradients if scene.gradient else lexicon.backgrounds).format(colour=colour)


def _fill(template: str, words: Sequence[_Words], background: str) -> str:
    fields = {"background": background}
    for suffix, figure in zip(("", "2"), words, strict=False):
        fields |= {f"{name}{suffix}": getattr(figure, name) for name in ("figure", "subject", "finite")}
    text = template.format_map(fields)
    # "on a orange background" -> "on an orange background"; Portuguese has no word "a" before a vowel-initial colour.
    for vowel in "aeio":
        text = text.replace(f"on a {vowel}", f"on an {vowel}").replace(f"over a {vowel}", f"over an {vowel}")
    return text


def _as_typed(text: str, rng: np.random.Generator) -> str:
    """Sometimes without accents, with a capital, or all in capitals: people type so."""
    if rng.random() < 0.3:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    style = rng.random()
    if style < 0.3:
        return text[:1].upper() + text[1:]
    return text.upper() if style > 0.97 else text


def scene_caption(
    scene: Scene, rng: np.random.Generator, language: Language | None = None, *, complete: bool = False
) -> Caption:
    """A random sentence for the scene; `complete` asks for one that says every attribute."""
    chosen: Language = language or ("en" if rng.random() < 0.5 else "pt")
    lexicon = LEXICONS[chosen]
    words = [_words(figure, lexicon, rng) for figure in scene.figures]
    says_background = says_motion = True
    templates = lexicon.one if len(words) == 1 else lexicon.two
    if len(words) == 1 and not complete and rng.random() < PARTIAL_SHARE:
        says_background = bool(rng.random() < 0.5)
        says_motion = not says_background
        templates = lexicon.one_without_motion if says_background else lexicon.one_without_background
    sentence = _fill(_pick(rng, templates), words, _background(scene, lexicon, rng))
    text = _pick(rng, lexicon.openings) + sentence + _pick(rng, lexicon.endings)
    return Caption(text=_as_typed(text, rng), language=chosen, says_background=says_background, says_motion=says_motion)


@dataclass(frozen=True, kw_only=True)
class StoryCaption:
    """A story told in HoloCine's structured form."""

    global_caption: str
    shot_captions: tuple[str, ...]
    language: Language

    @property
    def prompt(self) -> str:
        """The one string that the tokenizer gets."""
        shots = f" {CUT_MARKER} ".join(self.shot_captions)
        return f"{GLOBAL_MARKER} {self.global_caption} {SHOTS_MARKER} {shots}"


def story_caption(story: Story, rng: np.random.Generator, language: Language | None = None) -> StoryCaption:
    """A random telling: who the character is, how many shots, then what happens in each."""
    chosen: Language = language or ("en" if rng.random() < 0.5 else "pt")
    lexicon = LEXICONS[chosen]
    character = _words(story.character, lexicon, rng)
    introduction = _pick(rng, lexicon.introductions).format(subject=character.subject)
    shots = []
    for shot in story.shots:
        words = _words(shot.figures[0], lexicon, rng)
        background = _background(shot, lexicon, rng)
        template = _pick(rng, lexicon.shots)
        shots.append(
            template.format(definite=words.definite, ongoing=words.ongoing, finite=words.finite, background=background)
        )
    return StoryCaption(
        global_caption=f"{introduction} This scene contains {len(story.shots)} shots.",
        shot_captions=tuple(shots),
        language=chosen,
    )
