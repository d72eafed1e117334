"""Attention kernels and linear layers alone, at the sizes of Wan A14B."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import nn

from bench.denoise import difference
from bench.networks import CUDA
from bench.record import Row
from models.speed import attention
from models.speed.ceilings import Ceilings
from models.speed.quantised import Format, QuantisedLinear, supported
from models.speed.timing import median_s

TOKENS = (32_760, 75_600)
HEADS, HEAD_DIM = 40, 128


def attention_kernels(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """Every candidate through the gate, and timed at both sizes where it is admitted."""
    for kernel in attention.gate("fast", CUDA, HEAD_DIM):
        for tokens in TOKENS:
            seconds = _attention_s(kernel.name, tokens) if kernel.admitted else None
            flops = 4 * tokens**2 * HEADS * HEAD_DIM
            add(
                Row(
                    what=f"attention, {tokens} tokens x {HEADS} heads",
                    variant=kernel.name,
                    value=None if seconds is None else flops / seconds / 1e12,
                    unit="TF/s",
                    repeats=7,
                    of_ceiling=None if seconds is None else flops / seconds / 1e12 / ceilings.matmul_tf_s,
                    ceiling="matmul_tf_s",
                    error=None if kernel.error != kernel.error else kernel.error,
                    reference="float32, 1,021 x 1,531 tokens",
                    note=kernel.reason,
                )
            )


def _attention_s(name: str, tokens: int) -> float:
    query, key, value = (torch.randn(1, tokens, HEADS, HEAD_DIM, device=CUDA, dtype=torch.bfloat16) for _ in range(3))
    return median_s(lambda: dispatch_attention_fn(query, key, value, backend=name), CUDA, warm_up=2, repeats=7)


def linears(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """The feed-forward's first matrix, in bfloat16 and quantised (compiled, with the quantising of its input)."""
    torch.manual_seed(3)
    with CUDA:
        plain = nn.Linear(5120, 13824, dtype=torch.bfloat16)
    rows = torch.randn(TOKENS[0], 5120, device=CUDA, dtype=torch.bfloat16)
    flops = 2 * TOKENS[0] * 5120 * 13824
    with torch.no_grad():
        reference = nn.functional.linear(rows[:2048].double(), plain.weight.double(), plain.bias.double())
        plain_s = median_s(lambda: plain(rows), CUDA, warm_up=3, repeats=9)
        _add_linear(add, ceilings, "bfloat16", flops, plain_s, plain_s, difference(plain(rows[:2048]), reference))
        formats: tuple[Format, ...] = ("float8", "int8")
        for format in formats:
            if not supported(format, CUDA):
                continue
            made = torch.compile(QuantisedLinear.of(plain, format), dynamic=False)
            seconds = median_s(lambda made=made: made(rows), CUDA, warm_up=3, repeats=9)  # type: ignore[misc]
            error = difference(made(rows)[:2048], reference)
            _add_linear(add, ceilings, format, flops, seconds, plain_s, error)


def _add_linear(
    add: Callable[[Row], None],
    ceilings: Ceilings,
    variant: str,
    flops: int,
    seconds: float,
    stock_s: float,
    error: float,
) -> None:
    add(
        Row(
            what=f"linear 5120 -> 13824, {TOKENS[0]} tokens",
            variant=variant,
            value=flops / seconds / 1e12,
            unit="TF/s",
            repeats=9,
            of_ceiling=flops / seconds / 1e12 / ceilings.matmul_tf_s,
            ceiling="matmul_tf_s",
            speedup=stock_s / seconds,
            error=error,
            reference="float64, 2,048 tokens",
        )
    )
