"""Captions say what the scene shows; the tokenizer reads them however they are typed."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.captions import compose
from training.captions.compose import CUT_MARKER, LEXICONS, scene_caption, story_caption
from training.captions.tokenizer import MARKERS, UNKNOWN, build_tokenizer, load_tokenizer
from training.data.stream import SCENE_TOKENS
from training.world.palette import COLOUR_NAMES, MOTIONS, SHAPES
from training.world.scene import Figure, Scene, random_scene, random_story


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer()


@pytest.mark.parametrize("language", ["en", "pt"])
def test_given_random_scenes_and_stories_when_captioned_then_every_word_is_in_the_vocabulary(
    tokenizer: Any, language: Any
) -> None:
    rng = np.random.default_rng(0)
    texts = [scene_caption(random_scene(rng), rng, language).text for _ in range(400)]
    texts += [story_caption(random_story(rng, 3), rng, language).prompt for _ in range(100)]
    assert not [text for text in texts if tokenizer.unk_token_id in tokenizer(text).input_ids]


@pytest.mark.parametrize("language", ["en", "pt"])
def test_given_the_longest_words_for_everything_when_captioned_then_a_trainer_has_room_for_them(
    tokenizer: Any, language: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def longest(_: Any, options: Any) -> Any:
        return max(options, key=lambda o: len(tokenizer(o if isinstance(o, str) else o[0]).input_ids))

    monkeypatch.setattr(compose, "_pick", longest)
    rng = np.random.default_rng(0)
    lengths = []
    for pair in itertools.combinations_with_replacement(MOTIONS, 2):
        for shape in SHAPES:
            figures = [Figure(colour=c, shape=shape, motion=m) for c, m in zip(("white", "black"), pair, strict=True)]
            scene = Scene(figures=tuple(figures), background="purple", gradient=True)
            lengths.append(len(tokenizer(scene_caption(scene, rng, language).text).input_ids))
    assert 30 < max(lengths) + 2 < SCENE_TOKENS  # two unknown words, and a place at least for padding


@pytest.mark.parametrize("language", ["en", "pt"])
def test_given_a_lexicon_when_read_then_it_names_every_attribute_and_no_phrase_means_two_motions(language: Any) -> None:
    lexicon = LEXICONS[language]
    assert set(lexicon.colours) == set(COLOUR_NAMES)
    assert set(lexicon.nouns) == set(SHAPES)
    for phrases in (lexicon.ongoing, lexicon.finite):
        assert set(phrases) == set(MOTIONS)
        every = [phrase for options in phrases.values() for phrase in set(options)]
        assert len(every) == len(set(every))


def test_given_a_complete_caption_when_asked_for_then_it_says_every_attribute(tokenizer: Any) -> None:
    rng = np.random.default_rng(1)
    scene = Scene(
        figures=(Figure(colour="white", shape="triangle", motion="shrink"),), background="black", gradient=False
    )
    for _ in range(50):
        words = set(
            scene_caption(scene, rng, "en", complete=True).text.lower().replace(".", "").replace(",", "").split()
        )
        assert "triangle" in words
        assert words & {"white", "snowy"}
        assert words & {"black", "jet"}
        assert words & {"shrinking", "smaller", "contracting", "shrinks", "gets", "contracts", "becomes"}


def test_given_the_same_words_typed_otherwise_when_tokenized_then_the_ids_are_the_same(tokenizer: Any) -> None:
    accented = tokenizer("Um círculo vermelho movendo-se em CÍRCULO").input_ids
    assert tokenizer("um circulo vermelho movendo-se em circulo").input_ids == accented


def test_given_a_word_it_never_saw_when_tokenized_then_it_is_unknown_and_the_rest_is_kept(tokenizer: Any) -> None:
    ids = tokenizer("a red zeppelin 🙂 moving right").input_ids
    words = tokenizer.convert_ids_to_tokens(ids)
    assert words == ["a", "red", UNKNOWN, UNKNOWN, "moving", "right", "</s>"]


def test_given_a_story_when_tokenized_then_each_marker_is_one_token_with_its_own_offsets(tokenizer: Any) -> None:
    caption = story_caption(random_story(np.random.default_rng(2), 3), np.random.default_rng(3))
    prompt = caption.prompt
    encoded = tokenizer(prompt, return_offsets_mapping=True)
    spans = [prompt[a:b] for a, b in encoded.offset_mapping]
    assert spans.count(CUT_MARKER) == 2
    assert spans[0] in MARKERS
    assert "This scene contains 3 shots." in prompt
    assert encoded.offset_mapping[-1] == (0, 0)


def test_given_a_saved_tokenizer_when_loaded_by_auto_tokenizer_then_it_encodes_alike(
    tokenizer: Any, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path)
    text = "Uma estrela azul girando em um fundo branco"
    assert load_tokenizer(tmp_path)(text).input_ids == tokenizer(text).input_ids
