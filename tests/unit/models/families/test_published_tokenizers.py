"""T5 tokenizers as they are published: a SentencePiece model, and no tokenizer.json beside it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece

from models import registry, tiny
from models.common.engine import DiffusersVideoModel

SPECIAL = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def publish(tokenizer: Path) -> None:
    """Puts files in the place of the folder's own as google/t5-v1_1-xxl's offspring have them."""
    shutil.rmtree(tokenizer)
    tokenizer.mkdir()
    texts = [f"a red circle moves to the right, number {number} of many words here" for number in range(400)]
    (tokenizer.parent / "texts.txt").write_text("\n".join(texts))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tokenizer.parent / "texts.txt"), model_prefix=str(tokenizer / "spiece"), vocab_size=60,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (tokenizer / "spiece.vocab").unlink()
    (tokenizer / "special_tokens_map.json").write_text(json.dumps(SPECIAL))
    configuration = {"tokenizer_class": "T5Tokenizer", "model_max_length": 226, "extra_ids": 0, **SPECIAL}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(configuration))


@pytest.mark.parametrize(
    ("model_id", "make"),
    [("ltx-video", tiny.ltx), ("cogvideox-5b", tiny.cogvideox), ("mochi-1", tiny.mochi)],
)
def test_given_a_tokenizer_of_sentencepiece_alone_then_the_text_encoder_opens_and_reads(
    model_id: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    make(folder)
    publish(folder / "tokenizer")

    model = registry.load(model_id, weights_dir=folder, device="cpu")

    assert isinstance(model, DiffusersVideoModel)
    tokenizer = model._pipelines.text(with_image=False).tokenizer
    numbers = tokenizer("a red circle").input_ids
    assert numbers[-1] == tokenizer.eos_token_id
    assert tokenizer.unk_token_id not in numbers
    model.unload()
