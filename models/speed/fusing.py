"""Fused kernels where torch's compiler goes over the same memory twice: the norm and the rotation of Wan's queries and
keys in one pass, and GELU at the end of the product before it.

Every sum stays in float32 until the one rounding at the end, so that results differ from stock's within its rounding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from types import MethodType
from typing import Any, Literal

import torch
from diffusers.models.activations import GELU
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import Tensor, nn
from torch.nn import functional

from models.speed import short_text

_log = logging.getLogger(__name__)

Group = Literal["denoiser", "short text", "decoder"]
"""Kernels that are used together, and tried when they are first asked for: where one does not run, the others may."""

# Largest ||out - ref|| / ||ref|| of the gate against float64: one rounding to bfloat16 makes about 1.7e-3.
BOUND = 4e-3


def fuse(denoiser: nn.Module) -> None:
    """Exchanges what `denoiser` has of it, in place; a network that has none stays as it is. Before
    `models.speed.attention.use`, which sets the kernel on every processor."""
    quick_text = not torch.cuda.is_available() or admitted(torch.device("cuda"), "short text")
    for module in denoiser.modules():
        if quick_text:
            short_text.fuse(module)
        if type(getattr(module, "processor", None)) is WanAttnProcessor and not getattr(
            module, "is_cross_attention", True
        ):
            module.processor = FusedWanProcessor()
        elif isinstance(module, GELU) and module.approximate == "tanh":
            module.forward = MethodType(_gelu_of_product, module)


class FusedWanProcessor(WanAttnProcessor):  # type: ignore[misc]  # diffusers has no types
    """Self-attention of a Wan block over [batch, tokens, dim], with `rms_rotate` between products and attention."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,  # noqa: ARG002 - given by position
        attention_mask: Tensor | None = None,
        rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Any:
        if rotary_emb is None:
            return super().__call__(attn, hidden_states, None, attention_mask, None)
        heads = (attn.heads, -1)
        head_dim = attn.norm_q.weight.numel() // attn.heads
        query, key = (
            rms_rotate(layer(hidden_states), norm.weight, *rotary_emb, eps=norm.eps, head_dim=head_dim).unflatten(
                2, heads
            )
            for layer, norm in ((attn.to_q, attn.norm_q), (attn.to_k, attn.norm_k))
        )
        out = dispatch_attention_fn(
            query,
            key,
            attn.to_v(hidden_states).unflatten(2, heads),
            attn_mask=attention_mask,
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        return attn.to_out[1](attn.to_out[0](out.flatten(2, 3).type_as(query)))


def _gelu_of_product(layer: Any, given: Tensor) -> Tensor:
    activated: Tensor
    if type(layer.proj) is nn.Linear and layer.proj.bias is not None:
        activated = linear_gelu(given, layer.proj.weight, layer.proj.bias)
    else:  # quantised, or with LoRA adapters beside it
        activated = layer.gelu(layer.proj(given))
    return activated


# Custom operators: torch.compile takes them as they are. On a CPU they are the plain expressions.
@torch.library.custom_op("revalida::rms_rotate", mutates_args=(), device_types="cuda")
def rms_rotate(x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float, head_dim: int) -> Tensor:
    """RMS norm of `x` [batch, tokens, heads * head_dim] over all heads, then the rotary embedding of each head.

    `cos` and `sin` [1, tokens, 1, head_dim] hold each angle twice, as diffusers' Wan has them.
    """
    from models.speed import kernels

    return kernels.rms_rotate(x, weight, cos.float(), sin.float(), eps=eps, head_dim=head_dim)


@rms_rotate.register_kernel("cpu")
def plain_rms_rotate(x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float, head_dim: int) -> Tensor:
    """The same by torch's own operations, in float32 or wider."""
    wide = x.double() if x.dtype == torch.float64 else x.float()
    wide = functional.rms_norm(wide, (x.shape[-1],), weight.to(wide.dtype), eps)
    wide = wide.reshape(*x.shape[:2], -1, head_dim)
    even, odd = wide[..., 0::2], wide[..., 1::2]
    cosine, sine = cos[..., 0::2], sin[..., 1::2]
    turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
    return turned.flatten(2).to(x.dtype)


@rms_rotate.register_fake
def _(x: Tensor, weight: Tensor, cos: Tensor, sin: Tensor, eps: float, head_dim: int) -> Tensor:  # noqa: ARG001
    return x.new_empty(x.shape)


@torch.library.custom_op("revalida::linear_gelu", mutates_args=(), device_types="cuda")
def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """GELU (tanh approximation) of `x @ weight.T + bias`, at the end of cuBLASLt's product. `x` is [..., in]."""
    # On CUDA this operator's GELU is the tanh approximation; on a CPU it is the exact one.
    out: Tensor = torch._addmm_activation(bias, x.reshape(-1, x.shape[-1]), weight.t(), use_gelu=True)
    return out.reshape(*x.shape[:-1], -1)


@linear_gelu.register_kernel("cpu")
def plain_linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same by torch's own operations."""
    return functional.gelu(functional.linear(x, weight, bias), approximate="tanh")


@linear_gelu.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # noqa: ARG001
    return x.new_empty(*x.shape[:-1], weight.shape[0])


@cache
def admitted(device: torch.device, kernels: Group = "denoiser") -> bool:
    """Whether a group of our kernels runs on this device and keeps within `BOUND` of float64 on random inputs."""
    if device.type != "cuda":
        return False
    try:
        errors = {trial.__name__: trial(device) for trial in _TRIALS[kernels]}
    except Exception as problem:  # noqa: BLE001 - a machine without a C compiler, say; the compiler's kernels serve
        said = f"{type(problem).__name__}: {problem}"[:500]
        _log.warning("kernels left out", extra={"kernels": kernels, "error": said})
        return False
    _log.info("kernels tried", extra={"kernels": kernels, "errors": errors})
    return max(errors.values()) <= BOUND


def _rotation_error(device: torch.device) -> float:
    x, weight = _random(2, 333, 640, device=device), _random(640, device=device)
    angle = torch.randn(1, 333, 1, 64, device=device).repeat_interleave(2, dim=-1)
    given = (weight, angle.cos(), angle.sin(), 1e-6, 128)
    return difference(rms_rotate(x, *given), plain_rms_rotate, x, *given)


def _gelu_error(device: torch.device) -> float:
    given = _random(333, 640, device=device), _random(1280, 640, device=device) / 25, _random(1280, device=device)
    return difference(linear_gelu(*given), plain_linear_gelu, *given)


def _short_text_error(device: torch.device) -> float:
    query, key, value = (_random(1, tokens, 5, 128, device=device) for tokens in (333, 128, 128))
    bias = torch.randn(128, device=device)
    return difference(
        short_text.biased_attention(query, key, value, bias), short_text.plain_biased_attention, query, key, value, bias
    )


def _random(*shape: int, device: torch.device) -> Tensor:
    return torch.randn(*shape, device=device).to(torch.bfloat16)


def difference(out: Tensor, plain: Callable[..., Tensor], *given: Any) -> float:
    """||out - ref|| / ||ref|| against what `plain` makes of `given` in float64."""
    reference = plain(*(each.double() if isinstance(each, Tensor) else each for each in given))
    return float((out.double() - reference).norm() / reference.norm())


def _decoder_error(device: torch.device) -> float:
    from models.speed import wan_decoder

    return wan_decoder.error_of_kernels(device)


_TRIALS: dict[Group, tuple[Callable[[torch.device], float], ...]] = {
    "denoiser": (_rotation_error, _gelu_error),
    "short text": (_short_text_error,),
    "decoder": (_decoder_error,),
}
