"""Which attention kernel runs: candidates, a numerics gate when a worker starts, and the fastest that passes.

Names are those of diffusers' attention dispatcher; `flash_4_hub` is served here by the `flash-attn-4` package from PyPI
(CuTe DSL, compiled at run time, Hopper and newer) instead of a kernel fetched from the Hub, and `cudnn_fp8`, which
diffusers does not know, by `models.speed.fp8_attention`. FlashAttention: https://arxiv.org/abs/2205.14135.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from diffusers.models import attention_dispatch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from torch import Tensor, nn

from models.placement.plan import Tier
from models.speed import fp8_attention

_log = logging.getLogger(__name__)
_registry = attention_dispatch._AttentionBackendRegistry

STOCK = "native"
FLASH_4 = "flash_4_hub"
CANDIDATES: dict[Tier, tuple[str, ...]] = {
    "exact": (FLASH_4, STOCK, "_native_cudnn", "_native_flash"),
    "fast": (fp8_attention.NAME, "sage", FLASH_4, STOCK, "_native_cudnn", "_native_flash"),
}
# Largest ||out - ref|| / ||ref|| against float32 attention. Rounding the probabilities and the output to bfloat16 alone
# makes about 3e-3 on normal inputs (2^-9 each, root mean square); int8 queries and keys make some 1e-2, and e4m3, with
# its three bits of mantissa in all four operands, some 5e-2, as in the fast tier's linear layers.
BOUNDS: dict[Tier, float] = {"exact": 6e-3, "fast": 8e-2}


# Both are written for Hopper's matrix units (sm_90). With heads of 64 the making of fp8 numbers costs more than it
# spares: CogVideoX 0.91 and LTX 0.92 times as fast with it as without (bench/results, 2026-11-27).
_OLDEST_GPU = {FLASH_4: (9, 0), fp8_attention.NAME: (9, 0)}
_SMALLEST_HEAD_DIM = {fp8_attention.NAME: 128}


class Kernel(NamedTuple):
    """One candidate on this machine. `error` is NaN and `reason` says why where it cannot run."""

    name: str
    error: float
    admitted: bool
    reason: str = ""


def use(denoiser: nn.Module, name: str) -> None:
    """Makes every attention of `denoiser` run `name`."""
    register(name)
    for module in denoiser.modules():
        processor: Any = getattr(module, "processor", None)
        if hasattr(processor, "_attention_backend"):
            processor._attention_backend = AttentionBackendName(name)


@cache
def register(name: str) -> None:
    """Puts a kernel that is served here into diffusers' registry; one of diffusers' own is there.

    Raises `ImportError` where the package behind it is not installed.
    """
    if name == FLASH_4:
        import flash_attn.cute  # noqa: F401

        _serve(AttentionBackendName(name), _flash_4_forward)
    elif name == fp8_attention.NAME:
        fp8_attention.ensure_available()
        _serve(_new_name(name), _fp8_forward)


def _new_name(name: str) -> AttentionBackendName:
    """A member more of diffusers' enumeration, by which its dispatcher knows kernels."""
    member = str.__new__(AttentionBackendName, name)
    member._name_, member._value_ = name.upper(), name
    AttentionBackendName._value2member_map_[name] = member
    return member


def _serve(name: AttentionBackendName, forward: Callable[..., Tensor]) -> None:
    """`forward` as a backend, over several GPUs too; what has a mask or a scale of its own goes to the stock kernel."""

    def backend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        scale: float | None = None,
        _parallel_config: Any = None,
    ) -> Tensor:
        if attn_mask is not None or scale is not None:
            out: Tensor = dispatch_attention_fn(query, key, value, attn_mask=attn_mask, scale=scale, backend=STOCK)
            return out
        if _parallel_config is None:
            return forward(None, query, key, value)
        joined: Tensor = attention_dispatch._templated_context_parallel_attention(
            query, key, value, forward_op=forward, backward_op=None, _parallel_config=_parallel_config
        )
        return joined

    _registry._backends[name] = backend
    _registry._constraints[name] = []
    _registry._supported_arg_names[name] = {"query", "key", "value", "attn_mask", "scale", "_parallel_config"}
    _registry._supports_context_parallel.add(name)


# A custom operator: torch.compile takes it as it is and does not look into the run-time compiler behind it.
@torch.library.custom_op("revalida::flash_attention_4", mutates_args=())
def flash_attention_4(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of [batch, tokens, heads, head_dim] in float16 or bfloat16, without a mask."""
    from flash_attn.cute import flash_attn_func

    out = flash_attn_func(query, key, value, causal=False)
    attended: Tensor = out[0] if isinstance(out, tuple) else out
    return attended


@flash_attention_4.register_fake
def _(query: Tensor, key: Tensor, value: Tensor) -> Tensor:  # noqa: ARG001
    return query.new_empty(*query.shape[:-1], value.shape[-1])


def _flash_4_forward(_ctx: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    out: Tensor = flash_attention_4(query.contiguous(), key.contiguous(), value.contiguous())
    return out


def _fp8_forward(_ctx: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    if key.shape[1] < fp8_attention.FEWEST_KEYS:
        out: Tensor = dispatch_attention_fn(query, key, value, backend=STOCK)
        return out
    return fp8_attention.attend(query, key, value)


def choose(tier: Tier, device: torch.device, *, head_dim: int) -> str:
    """The first kernel of the tier's list that passes the gate on this device; the stock one on a CPU.

    The lists are in order of the speed that benchmarks saw. The choice is not timed: noise would give two machines of
    a kind different kernels, and the one could not go on with the other's checkpoint.
    """
    if device.type != "cuda":
        return STOCK
    for kernel in gate(tier, device, head_dim):
        if kernel.admitted:
            _log.info("attention kernel", extra={"kernel": kernel.name, "error": kernel.error, "tier": tier})
            return kernel.name
    raise RuntimeError(f"no attention kernel passes the gate on {device}, not even {STOCK}")


@cache
def gate(tier: Tier, device: torch.device, head_dim: int) -> tuple[Kernel, ...]:
    """Every candidate of the tier, tried on random inputs against float32."""
    return tuple(try_kernel(name, device, head_dim=head_dim, bound=BOUNDS[tier]) for name in CANDIDATES[tier])


def try_kernel(name: str, device: torch.device, *, head_dim: int, bound: float) -> Kernel:
    """The candidate's error. One that raises is not admitted, and says why."""
    if reason := hindrance(name, head_dim=head_dim, capability=torch.cuda.get_device_capability(device)):
        return Kernel(name, float("nan"), admitted=False, reason=reason)
    try:
        register(name)
        error = relative_error(name, device, heads=4, head_dim=head_dim)
    except Exception as problem:  # noqa: BLE001 - run-time compilers raise what they like; the next candidate is tried
        return Kernel(name, float("nan"), admitted=False, reason=f"{type(problem).__name__}: {problem}"[:200])
    reason = "" if error <= bound else f"error {error:.1e} is over {bound:.1e}"
    return Kernel(name, error, admitted=error <= bound, reason=reason)


def hindrance(name: str, *, head_dim: int, capability: tuple[int, int]) -> str:
    """Why a kernel need not be tried on a GPU of this compute capability; empty if it is to be."""
    oldest = _OLDEST_GPU.get(name, (0, 0))
    if capability < oldest:
        return f"needs compute capability {oldest[0]}.{oldest[1]}, this is {capability[0]}.{capability[1]}"
    smallest = _SMALLEST_HEAD_DIM.get(name, 0)
    return f"no gain with heads of {head_dim}, only from {smallest} on" if head_dim < smallest else ""


def relative_error(name: str, device: torch.device, *, heads: int, head_dim: int) -> float:
    """||out - ref|| / ||ref|| against float32 attention of the same bfloat16 inputs; more keys than queries, neither
    a multiple of a tile, as in cross-attention."""
    query, key, value = (_random(tokens, heads, head_dim, device) for tokens in (1021, 1531, 1531))
    wide_query, wide_key, wide_value = (tensor.float().transpose(1, 2) for tensor in (query, key, value))
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        reference = torch.nn.functional.scaled_dot_product_attention(wide_query, wide_key, wide_value).transpose(1, 2)
    out = dispatch_attention_fn(query, key, value, backend=name).float()
    return float((out - reference).norm() / reference.norm())


def _random(tokens: int, heads: int, head_dim: int, device: torch.device) -> Tensor:
    return torch.randn(1, tokens, heads, head_dim, device=device, dtype=torch.bfloat16)
