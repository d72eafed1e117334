"""Wan's cross-attention without most of its text's padding, against the stock class on the CPU; the kernel:
tests/kernels."""

from __future__ import annotations

import copy
import gc
from typing import Any

import pytest
import torch
from torch import Tensor

from models.speed import short_text
from models.speed.fusing import fuse
from models.speed.short_text import Padding, ShortTextProcessor
from models.speed.trimming import prepare
from tests.unit.models.speed.networks import tiny_wan, wan_inputs

TOKENS = 512


@pytest.fixture
def shortened(stock: Any) -> Any:
    network = copy.deepcopy(stock)
    prepare(network)
    return network


def text_of(words: int, rows: int = 1) -> Tensor:
    """Embeddings as the stock pipeline pads them."""
    text = torch.zeros(rows, TOKENS, 32)
    text[:, :words] = torch.randn(rows, words, 32, generator=torch.Generator().manual_seed(words))
    return text


def attended(network: Any, text: Tensor) -> tuple[Tensor, int]:
    """The network's output, and how many positions of the text its cross-attention computed keys of."""
    lengths: list[int] = []
    hook = network.blocks[0].attn2.to_k.register_forward_hook(
        lambda _layer, given, _out: lengths.append(given[0].shape[1])
    )
    given = wan_inputs() | {"encoder_hidden_states": text}
    given["hidden_states"] = given["hidden_states"].expand(len(text), -1, -1, -1, -1)
    out: Tensor = network(**given, return_dict=False)[0]
    hook.remove()
    return out, lengths[0]


@pytest.mark.parametrize(("words", "computed"), [(1, 64), (12, 64), (63, 64), (64, 128), (127, 128)])
def test_given_padding_then_few_positions_of_it_make_the_stock_output(
    stock: Any, shortened: Any, words: int, computed: int
) -> None:
    out, length = attended(shortened, text_of(words))

    assert length == computed
    torch.testing.assert_close(out, attended(stock, text_of(words))[0], rtol=1e-4, atol=1e-5)


def test_given_the_weight_of_padding_left_out_then_the_output_would_be_another(stock: Any, shortened: Any) -> None:
    cut = attended(stock, text_of(12)[:, :64])[0]

    assert float((cut - attended(stock, text_of(12))[0]).norm()) > 100 * float(
        (attended(shortened, text_of(12))[0] - attended(stock, text_of(12))[0]).norm()
    )


def _with_a_gap() -> Tensor:
    text = text_of(12)
    text[:, 5] = 0
    return text


@pytest.mark.parametrize(
    "text", [text_of(128), text_of(TOKENS), text_of(12, rows=2), _with_a_gap(), text_of(12)[:, :64]]
)
def test_given_a_text_that_cannot_be_shortened_then_it_is_the_stock_forward(
    stock: Any, shortened: Any, text: Tensor
) -> None:
    attended(shortened, text_of(12))  # whose padding must be forgotten

    out, length = attended(shortened, text)

    assert length == text.shape[1]
    torch.testing.assert_close(out, attended(stock, text)[0], rtol=0, atol=0)


def test_given_our_kernel_then_each_cross_attention_takes_it_and_the_output_is_the_stock_one(
    stock: Any, shortened: Any
) -> None:
    fuse(shortened)

    assert all(block.attn2.processor.fused for block in shortened.blocks)
    torch.testing.assert_close(
        attended(shortened, text_of(12))[0], attended(stock, text_of(12))[0], rtol=1e-4, atol=1e-5
    )


def test_given_attention_to_image_tokens_too_then_the_stock_processor_stays() -> None:
    network = tiny_wan()
    network.blocks[0].attn2.add_k_proj = torch.nn.Linear(4, 4)

    prepare(network)

    assert [isinstance(block.attn2.processor, ShortTextProcessor) for block in network.blocks] == [False, True]


def test_given_a_text_in_every_step_then_it_is_looked_at_once_and_then_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[Tensor | None] = []
    bias_of = short_text._bias_of

    def look(text: Tensor) -> Tensor | None:
        looked.append(bias_of(text))
        return looked[-1]

    monkeypatch.setattr(short_text, "_bias_of", look)
    padding, words, empty = Padding(), text_of(60), text_of(1)

    lengths = [padding.shorten(text).shape[1] for text in (words, empty) * 3]
    others = [padding.bias is None for text in (text_of(128), words) if padding.shorten(text) is not None]

    assert lengths == [64] * 6
    assert others == [True, False]
    assert len(looked) == 3
    del words, empty
    gc.collect()
    assert len(padding._found) == 0


def test_given_text_shortened_then_the_bias_weighs_its_padding_as_all_of_it() -> None:
    padding = Padding()

    padding.shorten(text_of(60))

    assert padding.bias is not None
    assert not padding.bias[:60].any()
    assert float(padding.bias[60:].exp().sum()) == pytest.approx(TOKENS - 60)
