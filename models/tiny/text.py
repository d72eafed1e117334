"""Tokenizers and text encoders in miniature."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

SEED = 20260922
TEXT_WIDTH = 16  # channels of every tiny text encoder
_PIECE = r"\w{1,4}|[^\w\s]"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789áàâãçéêíóôõúABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?:;-'"


def t5_tokenizer() -> T5Tokenizer:
    """A tokenizer of single characters: every text has tokens, and different texts have different ones."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in _LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def umt5_encoder(vocabulary: int) -> UMT5EncoderModel:
    """UMT5 in miniature: 2 layers."""
    return UMT5EncoderModel(UMT5Config(vocab_size=vocabulary, **_T5_SHAPE)).eval()


def t5_encoder(vocabulary: int) -> T5EncoderModel:
    """T5 in miniature: 2 layers."""
    return T5EncoderModel(T5Config(vocab_size=vocabulary, **_T5_SHAPE)).eval()


def word_tokenizer(texts: Iterable[str], special: tuple[str, ...], *, bos: str, eos: str) -> PreTrainedTokenizerFast:
    """A tokenizer of pieces of up to four letters: those of `texts`, and `special` tokens; all else is unknown.

    Pieces, because HunyuanVideo's pipelines cut a fixed number of tokens off the template's front: with a piece a
    letter the prompt would fall beyond the length limit, with a piece a word it would be cut off as well.
    """
    specials = list(dict.fromkeys(("<pad>", "<unk>", bos, eos, *special)))
    pieces = [piece for text in texts for piece in re.findall(_PIECE, text)]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*specials, *pieces]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECE), behavior="removed", invert=True)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in specials])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(token, vocabulary[token]) for token in (bos, eos)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token=bos,
        eos_token=eos,
        model_max_length=77,
    )


def llama_config(vocabulary: int) -> LlamaConfig:
    """Llama in miniature: 4 layers, of which HunyuanVideo skips the last two."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=TEXT_WIDTH,
        intermediate_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        pad_token_id=0,
    )


def llama(vocabulary: int) -> LlamaModel:
    """See `llama_config`."""
    return LlamaModel(llama_config(vocabulary)).eval()


def clip_text(vocabulary: int, eos_token_id: int) -> CLIPTextModel:
    """CLIP's text half in miniature, pooled at the end-of-text token."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=TEXT_WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=TEXT_WIDTH,
        eos_token_id=eos_token_id,
        pad_token_id=0,
    )
    return CLIPTextModel(config).eval()


_T5_SHAPE = {
    "d_model": TEXT_WIDTH,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 2,
    "dropout_rate": 0.0,
}
