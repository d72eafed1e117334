"""Puts a plan's parts where it says: on the GPU, there for their phase, or streaming through it block by block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from models.common.convolution import use_onednn
from models.interface import UnsupportedRequest

if TYPE_CHECKING:
    from models.placement import Plan


@dataclass(frozen=True, kw_only=True)
class Residency:
    """What of a plan decides how the networks are loaded. Without a plan everything stays on the device, except on
    a GPU the text encoder (UMT5-XXL alone is 11 GiB), which is freed after use."""

    keep_text_encoder: bool
    denoiser: str = "resident"
    denoiser_dtype: str = "bfloat16"
    vae: str = "resident"
    vae_tiling: bool = False
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
        if plan.layout.gpus > 1:
            raise UnsupportedRequest(f"a worker runs on one GPU, not on {plan.layout.gpus}", param="plan")
        if plan.denoiser.dtype == "int8":
            raise UnsupportedRequest("int8 denoisers cannot be run; bfloat16 and float8 can", param="plan")
        return Residency(
            keep_text_encoder=plan.text_encoder.mode == "resident",
            denoiser=plan.denoiser.mode,
            denoiser_dtype=plan.denoiser.dtype,
            vae=plan.vae.mode,
            vae_tiling=plan.vae_tiling,
            from_disk=plan.stream_from_disk,
            cpu_kernels=cpu_kernels,
        )

    @property
    def numerics(self) -> dict[str, Any]:
        """What of it changes the result's bits; where the parts lie does not."""
        return {
            "denoiser_dtype": self.denoiser_dtype,
            "vae_tiling": self.vae_tiling,
            "cpu_kernels": self.cpu_kernels,
        }


class Places:
    """Moves the parts that a residency does not keep on the device; at most one such part is there at a time."""

    def __init__(self, residency: Residency, device: torch.device) -> None:
        self._residency = residency
        self._device = device
        self._visitors: list[torch.nn.Module] = []
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
        if self._residency.vae == "resident":
            vae.to(self._device)
        else:
            self._visitors.append(vae)
        for denoiser in denoisers:
            self._settle_denoiser(denoiser)

    def summon(self, module: torch.nn.Module) -> None:
        """Brings a part to the device before it is used, and sends the others that only visit back to the host."""
        if module not in self._visitors:
            return
        for other in self._visitors:
            if other is not module:
                other.to("cpu")
        module.to(self._device)

    def _settle_denoiser(self, denoiser: Any) -> None:
        if self._residency.denoiser_dtype == "float8":
            denoiser.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.bfloat16)
        if self._residency.denoiser == "resident":
            denoiser.to(self._device)
        elif self._residency.denoiser == "on-demand":
            self._visitors.append(denoiser)
            # With two experts the loop itself changes from one to the other.
            denoiser.register_forward_pre_hook(lambda module, _: self.summon(module))
        else:
            denoiser.enable_group_offload(
                onload_device=self._device,
                offload_device=torch.device("cpu"),
                offload_type="block_level",
                num_blocks_per_group=1,
                use_stream=self._device.type == "cuda",  # the next block is copied while one computes
                offload_to_disk_path=self._folder_for_blocks(),
            )

    def _folder_for_blocks(self) -> str | None:
        """A folder for one denoiser alone: diffusers names the files after the blocks, which two experts share."""
        if not self._residency.from_disk:
            return None
        self._disk.append(TemporaryDirectory(prefix="revalida-blocks-"))
        return self._disk[-1].name
