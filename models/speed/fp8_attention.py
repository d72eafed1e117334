"""Attention in fp8 by cuDNN, for the fast tier on Hopper and newer, where `nvidia-cudnn-frontend` is installed.

Queries, keys, values and probabilities are e4m3, which has twice bfloat16's rate. Keys are first freed of their mean
over the tokens: a query's score with it is the same for every key, so that the softmax does not see it, but its
rounding would be seen (https://arxiv.org/abs/2410.02367). One scale for each of the three, made on the fly.
"""

from __future__ import annotations

import logging
import math
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_log = logging.getLogger(__name__)

NAME = "cudnn_fp8"
FEWEST_KEYS = 1024
"""With less keys (text, mostly) the making of fp8 numbers costs more than they spare."""

_FP8 = torch.float8_e4m3fn
_LARGEST = 448.0
_SMALLEST_SCALE = 1e-12
# Probabilities are at most 1 and mostly far below it: times this they are out of e4m3's subnormal numbers.
_PROBABILITY_SCALE = 256.0
_PLAIN_SHAPE = (1, 2048, 4, 128)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of bfloat16 [batch, tokens, heads, head_dim], without a mask, in bfloat16."""
    centred = key - key.mean(dim=1, keepdim=True)
    (queries, query_scale), (keys, key_scale), (values, value_scale) = map(_quantised, (query, centred, value))
    out: Tensor = fp8_attention(queries, keys, values, torch.stack([query_scale, key_scale, value_scale]))
    return (out.float() * value_scale).to(query.dtype)


def _quantised(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """e4m3 numbers and the float32 scalar that they are to be multiplied by."""
    scale = (tensor.abs().amax().float() / _LARGEST).clamp(min=_SMALLEST_SCALE)
    return (tensor.float() / scale).clamp(-_LARGEST, _LARGEST).to(_FP8).contiguous(), scale


# A custom operator: torch.compile takes it as it is and does not look into cuDNN behind it.
@torch.library.custom_op("revalida::fp8_attention", mutates_args=(), device_types="cuda")
def fp8_attention(query: Tensor, key: Tensor, value: Tensor, scales: Tensor) -> Tensor:
    """Attention of e4m3 [batch, tokens, heads, head_dim], to be multiplied by the three of `scales`.

    In e4m3, to be multiplied by the values' scale: what is attended to is never larger than the largest value.
    """
    plan = _plan(query.device, tuple(query.shape), tuple(key.shape))
    return (plan or by_stock_kernel)(query, key, value, scales)


@fp8_attention.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, scales: Tensor) -> Tensor:  # noqa: ARG001
    return torch.empty_like(query)


@fp8_attention.register_kernel("cpu")
def _(query: Tensor, key: Tensor, value: Tensor, scales: Tensor) -> Tensor:
    """The same numbers and roundings in float32: what they do to a video can be seen without a GPU."""
    queries, keys, values = (tensor.float().transpose(1, 2) for tensor in (query, key, value))
    scores = (queries @ keys.mT) * (scales[0] * scales[1] / math.sqrt(query.shape[-1]))
    weights = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    rounded = (weights * _PROBABILITY_SCALE).to(_FP8).float() / _PROBABILITY_SCALE
    out = rounded @ values / weights.sum(dim=-1, keepdim=True)
    return out.transpose(1, 2).to(_FP8).contiguous()


def by_stock_kernel(query: Tensor, key: Tensor, value: Tensor, scales: Tensor) -> Tensor:
    """The same of bfloat16 numbers, for a shape that cuDNN does not take."""
    given = zip((query, key, value), (*scales[:2], 1.0), strict=True)
    wide = [(tensor.float() * scale).bfloat16().transpose(1, 2) for tensor, scale in given]
    return functional.scaled_dot_product_attention(wide[0], wide[1], wide[2]).transpose(1, 2).to(_FP8).contiguous()


def ensure_available() -> None:
    """On a machine with a GPU: raises `ImportError` where the package is missing, and what cuDNN says where it has no
    kernel for this GPU, even for a shape without peculiarities."""
    if torch.cuda.is_available():
        import cudnn  # noqa: F401

        _Plan(torch.device("cuda", torch.cuda.current_device()), _PLAIN_SHAPE, _PLAIN_SHAPE)


class _Plan:
    """cuDNN's plan for one shape on one device."""

    def __init__(self, device: torch.device, query: tuple[int, ...], key: tuple[int, ...]) -> None:
        import cudnn

        self._cudnn, self._device, self._handle = cudnn, device, _handle(device)
        float32, fp8 = cudnn.data_type.FLOAT, cudnn.data_type.FP8_E4M3
        self._graph = graph = cudnn.pygraph(
            io_data_type=fp8, intermediate_data_type=float32, compute_data_type=float32, handle=self._handle
        )
        shapes = {"query": query, "key": key, "value": key}
        tensors = [graph.tensor(name=name, **_laid_out(shape), data_type=fp8) for name, shape in shapes.items()]
        names = ("descale_q", "descale_k", "descale_v", "descale_s", "scale_s", "scale_o")
        scalars = {name: graph.tensor(name=name, dim=[1] * 4, stride=[1] * 4, data_type=float32) for name in names}
        out, _, *peaks = graph.sdpa_fp8(*tensors, **scalars, generate_stats=False, attn_scale=1 / math.sqrt(query[-1]))
        laid_out = _laid_out(query)
        out.set_output(True).set_dim(laid_out["dim"]).set_stride(laid_out["stride"]).set_data_type(fp8)
        for peak in peaks:
            peak.set_output(True).set_dim([1] * 4).set_stride([1] * 4).set_data_type(float32)
        graph.build([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        self._inputs, self._outputs = [*tensors, *scalars.values()], [out, *peaks]
        self._probability = torch.tensor([1 / _PROBABILITY_SCALE, _PROBABILITY_SCALE], device=device)

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, scales: Tensor) -> Tensor:
        out = torch.empty_like(query)
        peaks = torch.empty(2, device=self._device)
        workspace = torch.empty(self._graph.get_workspace_size(), dtype=torch.uint8, device=self._device)
        # The values' scale is left to the caller, at both ends.
        one = torch.ones((), device=self._device)
        inputs = (query, key, value, scales[0], scales[1], one, *self._probability, one)
        given = dict(zip([*self._inputs, *self._outputs], (*inputs, out, *peaks), strict=True))
        with torch.cuda.device(self._device):
            stream = torch.cuda.current_stream(self._device).cuda_stream
            self._cudnn.set_stream(handle=self._handle, stream=stream)
            self._graph.execute(given, workspace, handle=self._handle)
        return out


# A shape more for each length of text where text and video are attended to together.
@lru_cache(maxsize=64)
def _plan(device: torch.device, query: tuple[int, ...], key: tuple[int, ...]) -> _Plan | None:
    try:
        return _Plan(device, query, key)
    except Exception as problem:  # noqa: BLE001 - whatever cuDNN has against a shape, the video is made all the same
        said = f"{type(problem).__name__}: {problem}"[:500]
        _log.warning("no fp8 attention for a shape", extra={"query": query, "key": key, "error": said})
        return None


@cache
def _handle(device: torch.device) -> Any:
    import cudnn

    with torch.cuda.device(device):
        return cudnn.create_handle()


def _laid_out(shape: tuple[int, ...]) -> dict[str, list[int]]:
    """cuDNN's dimensions are batch, heads, tokens, head_dim, whatever lies beside what."""
    batch, tokens, heads, dim = shape
    return {"dim": [batch, heads, tokens, dim], "stride": [tokens * heads * dim, dim, heads * dim, 1]}
