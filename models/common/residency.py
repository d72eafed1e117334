"""Puts a plan's parts where it says: on the GPU, there for their phase, or streaming through it block by block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.distributed as dist
from diffusers import AutoencoderKLWan

from models.common.block_files import folder_for_blocks
from models.common.convolution import use_onednn
from models.estimate import Layout
from models.interface import UnsupportedRequest
from models.placement.plan import shares_first_block
from models.speed.decoder import quicken
from models.speed.first_block import share
from models.speed.host_copy import HostCopy
from models.speed.parallel.split import split
from models.speed.step_cache import cache_steps
from models.speed.streaming import Slots, stream_blocks
from models.speed.tiers import NONE, Acceleration, accelerate

if TYPE_CHECKING:
    from models.placement import Plan
    from models.placement.plan import Dtype, Mode, Tier


_ONE_GPU = Layout(cfg=1, ulysses=1)

Decoder = Literal["stock", "short", "half"]


@dataclass(frozen=True, kw_only=True)
class Residency:
    """What of a plan decides how the networks are loaded. Without a plan everything stays on the device, except on
    a GPU the text encoder (UMT5-XXL alone is 11 GiB), which is freed after use."""

    keep_text_encoder: bool
    text_on_host: bool = False
    """A text encoder that leaves the device stays in host memory; else it is read anew from the disk."""
    tier: Tier | None = None
    """None: stock kernels, whatever the device."""
    denoiser: Mode = "resident"
    denoiser_dtype: Dtype = "bfloat16"
    vae: str = "resident"
    vae_tiling: bool = False
    decode_room_gib: float = 0.0
    layout: Layout = _ONE_GPU
    from_disk: bool = False
    """A streamed denoiser's blocks come from the local disk: the host cannot hold them all."""
    cpu_kernels: str = "stock"
    """See `ModelSpec.cpu_kernels`; without effect on a GPU."""

    @staticmethod
    def of(plan: Plan | None, device: torch.device, *, cpu_kernels: str = "stock") -> Residency:
        """Raises `UnsupportedRequest` for a plan that this build cannot carry out."""
        if device.type != "cpu":
            cpu_kernels = "stock"
        if plan is None:
            return Residency(keep_text_encoder=device.type == "cpu", cpu_kernels=cpu_kernels)
        if plan.layout.gpus > 1 and not (dist.is_initialized() and dist.get_world_size() == plan.layout.gpus):
            raise UnsupportedRequest(f"this process is alone, the plan is for {plan.layout.gpus} GPUs", param="plan")
        return Residency(
            keep_text_encoder=plan.text_encoder.mode == "resident",
            text_on_host=plan.text_encoder.mode == "on-demand" and not plan.stream_from_disk,
            tier=plan.tier,
            denoiser=plan.denoiser.mode,
            denoiser_dtype=plan.denoiser.dtype,
            vae=plan.vae.mode,
            vae_tiling=plan.vae_tiling,
            decode_room_gib=plan.decode_room_gib,
            from_disk=plan.stream_from_disk,
            cpu_kernels=cpu_kernels,
            layout=plan.layout,
        )

    @property
    def numerics(self) -> dict[str, Any]:
        """What of it changes the result's bits beside the acceleration; where the parts lie does not."""
        return {
            "vae_tiling": self.vae_tiling,
            "cpu_kernels": self.cpu_kernels,
            "quick_decoder": self.decoder == "half",
        }

    @property
    def shares_first_block(self) -> bool:
        """Whether two guidance passes share what they can; stock networks are left as they are."""
        return self.tier is not None and shares_first_block(self.denoiser, self.layout)

    @property
    def decoder(self) -> Decoder:
        """The fast tier decodes in half precision on a GPU; the exact one in the published precision, in fewer passes
        over memory."""
        if self.tier is None:
            return "stock"
        return "short" if self.tier == "exact" else "half"


class Places:
    """Moves the parts that a residency does not keep on the device; at most one such part is there at a time."""

    def __init__(self, residency: Residency, device: torch.device, acceleration: Acceleration = NONE) -> None:
        self._residency = residency
        self._device = device
        self._acceleration = acceleration
        self._visitors: list[Visitor] = []
        self._slots = Slots(device)
        self._disk: list[TemporaryDirectory[str]] = []

    def close(self) -> None:
        """Takes the blocks that streamed from the disk away again."""
        self._visitors.clear()
        while self._disk:
            self._disk.pop().cleanup()

    def settle(self, *, denoisers: Iterable[Any], vae: Any) -> None:
        """Takes freshly loaded networks to their places."""
        if self._residency.vae_tiling:
            vae.enable_tiling()
        if self._residency.cpu_kernels == "onednn":
            use_onednn(vae)
        if self._device.type == "cuda":
            self._ready_decoder(vae)
        if self._residency.vae == "resident":
            vae.to(self._device)
        else:
            self.admit(vae)
        for denoiser in denoisers:
            self._settle_denoiser(denoiser)

    def _ready_decoder(self, vae: Any) -> None:
        if self._residency.decoder == "half":
            quicken(vae, torch.bfloat16 if vae.dtype == torch.float32 else vae.dtype)
        elif self._residency.decoder == "short" and isinstance(vae, AutoencoderKLWan):
            # Of the others nothing was measured in their own precision.
            quicken(vae, vae.dtype)

    def admit(self, module: torch.nn.Module) -> None:
        """`module` lies on the host from now on, until it is summoned."""
        self._visitors.append(Visitor(module, self._device))

    def summon(self, module: torch.nn.Module) -> None:
        """Brings a part to the device before it is used, and sends the others that only visit back to the host."""
        if not any(visitor.module is module for visitor in self._visitors):
            return
        self.dismiss(but=module)
        for visitor in self._visitors:
            if visitor.module is module:
                visitor.come()

    def dismiss(self, *, but: torch.nn.Module | None = None) -> None:
        """Sends what visits the device back to the host, all or all `but` one."""
        for visitor in self._visitors:
            if visitor.module is not but:
                visitor.go()

    def _settle_denoiser(self, denoiser: Any) -> None:
        compute = self._device if self._device.type == "cuda" else None
        accelerate(denoiser, self._acceleration, compute=compute)
        if self._residency.shares_first_block:
            share(denoiser)
        if self._residency.denoiser == "resident":
            denoiser.to(self._device)
        elif self._residency.denoiser == "on-demand":
            self.admit(denoiser)
            # With two experts the loop itself changes from one to the other.
            denoiser.register_forward_pre_hook(lambda module, _: self.summon(module))
        elif not self._residency.from_disk:
            stream_blocks(denoiser, self._slots)
        else:
            denoiser.enable_group_offload(
                onload_device=self._device,
                offload_device=torch.device("cpu"),
                offload_type="block_level",
                num_blocks_per_group=1,
                use_stream=self._device.type == "cuda",  # the next block is copied while one computes
                offload_to_disk_path=self._folder_for_blocks(),
            )
        if self._residency.layout.gpus > 1:
            split(denoiser, self._residency.layout, self._device)
        elif self._acceleration.step_cache is not None and not self._residency.from_disk:
            # Not over several GPUs: each would decide by its own part. Offloaded groups must all run.
            cache_steps(denoiser, self._acceleration.step_cache)

    def _folder_for_blocks(self) -> str:
        self._disk.append(folder_for_blocks())
        return self._disk[-1].name


class Visitor:
    """A part that comes to the device for its phase. Its weights stay in pinned host memory all the time, so that
    coming is one copy at the bus's full rate, and going none."""

    def __init__(self, module: torch.nn.Module, device: torch.device, *, comes_back: bool = True) -> None:
        """A module that does not come back is not worth a pinned copy."""
        self.module = module
        self._device = device
        self._copy = HostCopy(module) if device.type == "cuda" and comes_back else None
        self._there = False

    def come(self) -> None:
        if self._there:
            return
        if self._copy is not None:
            self._copy.bring(self._device)
        self.module.to(self._device)  # what was added since: LoRA adapters
        self._there = True

    def go(self) -> None:
        if not self._there:
            return
        if self._copy is not None:
            self._copy.leave()
        self.module.to("cpu")
        self._there = False
