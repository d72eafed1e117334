"""diffusers' `WanPipeline` with HoloCine's two experts: the same loop, told which token belongs to which shot."""

from contextlib import ExitStack
from typing import Any

import torch
from diffusers import WanPipeline
from torch import Tensor

from models.holocine.layout import ShotLayout


class HoloCinePipeline(WanPipeline):  # type: ignore[misc]  # diffusers has no types
    """`WanPipeline` whose transformers are `HoloCineTransformer3DModel`s and whose scheduler is an `EvenFlowEuler`.

    The window follows the pass that the stock loop names (`cond`, `uncond`), the shots hold for both; with a guidance
    scale of 1 there is no negative pass, and the window stays.
    """

    def __call__(self, *args: Any, shot_layout: ShotLayout, **kwargs: Any) -> Any:
        """As the stock call, for one prompt, with `shot_layout` the shots of its latent frames and their captions."""
        with ExitStack() as stack:
            for expert in (self.transformer, self.transformer_2):
                if expert is not None:
                    stack.enter_context(expert.use_shots(shot_layout))
            return super().__call__(*args, **kwargs)

    def prepare_latents(self, *args: Any, **kwargs: Any) -> Tensor:
        """Float32 noise of [1, 16, latent frames, height/8, width/8], cast to bf16 in a bf16 run as in training."""
        latents: Tensor = super().prepare_latents(*args, **kwargs)
        expert = self.transformer if self.transformer is not None else self.transformer_2
        return latents.to(expert.dtype) if expert.dtype == torch.bfloat16 else latents
