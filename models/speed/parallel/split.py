"""One denoiser's forward shared out over the processes of a group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from diffusers.hooks.context_parallel import apply_context_parallel
from diffusers.models._modeling_parallel import ContextParallelConfig, ParallelConfig
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from models.estimate import Layout

_BATCHED = ("hidden_states", "encoder_hidden_states", "timestep", "encoder_attention_mask")
_UNGUIDED_PASS = "uncond"
_CROSS_ATTENTION = "attn2"


def split(denoiser: Any, layout: Layout, device: torch.device) -> None:
    """Makes `denoiser`'s forward one that all ranks of the default process group call together with equal inputs, and
    that gives all of them the whole result. Rank = pass x ulysses + share of the heads.

    Raises `RuntimeError` where the group has not as many processes as the layout.
    """
    if not dist.is_initialized() or dist.get_world_size() != layout.gpus:
        raise RuntimeError(f"{layout.gpus} processes are needed in the process group")
    mesh = _mesh(layout, device)
    if layout.ulysses > 1:
        _share_heads(denoiser, layout, mesh, device)
    if layout.cfg > 1:
        _Passes(denoiser, mesh["cfg"])


def _mesh(layout: Layout, device: torch.device) -> DeviceMesh:
    return init_device_mesh(device.type, (layout.cfg, 1, layout.ulysses), mesh_dim_names=("cfg", "ring", "ulysses"))


def _share_heads(denoiser: Any, layout: Layout, mesh: DeviceMesh, device: torch.device) -> None:
    """What diffusers' `enable_parallelism` does, on a mesh that is part of a larger one (and on CPUs, for tests).

    Text stays whole: it is short, may not divide, and LTX-Video's mask over it is made for all heads.
    """
    context = ContextParallelConfig(ulysses_degree=layout.ulysses, mesh=mesh["ring", "ulysses"])
    config = ParallelConfig(context_parallel_config=context)
    config.setup(dist.get_rank(), dist.get_world_size(), device, mesh=context.mesh)
    denoiser._parallel_config = config
    for name, module in denoiser.named_modules():
        processor: Any = getattr(module, "processor", None)
        if hasattr(processor, "_parallel_config") and not name.endswith(_CROSS_ATTENTION):
            processor._parallel_config = config
    whole = {part: inputs for part, inputs in denoiser._cp_plan.items() if part}
    own = {name: each for name, each in denoiser._cp_plan.get("", {}).items() if not name.startswith("encoder_")}
    apply_context_parallel(denoiser, context, whole | {"": own})


class _Passes:
    """Each half of the ranks runs one guidance pass; afterwards both have both.

    Pipelines that ask twice (Wan) get a tensor to be filled for the pass that is the other half's: it is complete
    when the second call returns, and no pipeline looks at it before. Pipelines that ask once with a batch of two get
    the whole batch.
    """

    def __init__(self, denoiser: Any, mesh: DeviceMesh) -> None:
        self._denoiser = denoiser
        self._group = mesh.get_group()
        self._own = mesh.get_local_rank()
        self._forward: Callable[..., Any] = denoiser.forward
        self._context: Callable[..., Any] = denoiser.cache_context
        self._pass = ""
        self._first: Tensor | None = None
        denoiser.forward = self.forward
        denoiser.cache_context = self.cache_context

    @contextmanager
    def cache_context(self, name: str, **kwargs: Any) -> Iterator[None]:
        """The pipelines name the pass here."""
        self._pass = name
        with self._context(name, **kwargs):
            yield

    def forward(self, **given: Any) -> tuple[Tensor]:
        given["return_dict"] = False
        if given["hidden_states"].shape[0] == 2:
            return self._rows(given)
        return self._second(given) if self._pass == _UNGUIDED_PASS else self._guided(given)

    def _rows(self, given: dict[str, Any]) -> tuple[Tensor]:
        rows = slice(self._own, self._own + 1)
        mine = {name: _row(value, rows) if name in _BATCHED else value for name, value in given.items()}
        return (torch.cat(self._exchange(self._forward(**mine)[0])),)

    def _guided(self, given: dict[str, Any]) -> tuple[Tensor]:
        self._first = self._forward(**given)[0] if self._own == 0 else self._to_be_filled(given["hidden_states"])
        return (self._first,)

    def _second(self, given: dict[str, Any]) -> tuple[Tensor]:
        first, self._first = self._first, None
        if first is None:
            raise RuntimeError("the pass without the prompt came before the one with it")
        mine = first if self._own == 0 else self._forward(**given)[0]
        guided, unguided = self._exchange(mine)
        first.copy_(guided)
        return (unguided,)

    def _to_be_filled(self, hidden_states: Tensor) -> Tensor:
        shape = list(hidden_states.shape)
        shape[1] = self._denoiser.config.out_channels
        return hidden_states.new_empty(shape)

    def _exchange(self, mine: Tensor) -> list[Tensor]:
        """Both halves' results, the guided pass first."""
        mine = mine.contiguous()
        both = [torch.empty_like(mine) for _ in range(2)]
        dist.all_gather(both, mine, group=self._group)
        return both


def _row(value: Any, rows: slice) -> Any:
    return value[rows] if isinstance(value, Tensor) and value.ndim and value.shape[0] == 2 else value
