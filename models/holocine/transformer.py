"""The HoloCine transformer: diffusers' Wan transformer, parameter for parameter, that knows shots."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor

from models.holocine.attention import ShotState, SparseShotAttnProcessor, WindowCrossAttnProcessor
from models.holocine.errors import ShotError
from models.holocine.layout import ShotLayout


class HoloCineTransformer3DModel(WanTransformer3DModel):  # type: ignore[misc]  # diffusers has no types
    """`WanTransformer3DModel` with window cross-attention, and sparse inter-shot self-attention where asked for.

    Call `enable_shot_attention` once, then every forward pass inside `use_shots`:

        transformer = HoloCineTransformer3DModel(...).enable_shot_attention(sparse=True)
        with transformer.use_shots(layout):
            velocity = transformer(latents, timestep, prompt_embeds).sample

    Gradients flow; with gradient checkpointing the backward pass must run inside `use_shots`, too.
    """

    shot_state: ShotState

    def enable_shot_attention(self, *, sparse: bool) -> "HoloCineTransformer3DModel":
        """Put the processors into every block. Sparse and full checkpoints hold the same tensors: say which it is.

        Raises:
            ShotError: the patches span several latent frames, so that a token could belong to two shots.
        """
        if self.config.patch_size[0] != 1:
            raise ShotError(f"patch_size {self.config.patch_size}: patches must lie within one latent frame")
        self.shot_state = ShotState()
        for block in self.blocks:
            block.attn2.set_processor(WindowCrossAttnProcessor(self.shot_state))
            if sparse:
                block.attn1.set_processor(SparseShotAttnProcessor(self.shot_state))
        return self

    @contextmanager
    def use_shots(self, layouts: ShotLayout | Sequence[ShotLayout], *, window: bool = True) -> Iterator[None]:
        """Within the context, forward passes see these shots.

        Args:
            layouts: one for the whole batch, or one a sample.
            window: False leaves cross-attention unmasked, as in the negative pass.
        """
        given = (layouts,) if isinstance(layouts, ShotLayout) else tuple(layouts)
        before = self.shot_state.layouts, self.shot_state.window
        self.shot_state.layouts, self.shot_state.window = given, window
        try:
            yield
        finally:
            self.shot_state.layouts, self.shot_state.window = before

    @contextmanager
    def cache_context(self, name: str, **kwargs: Any) -> Iterator[None]:
        """diffusers pipelines name the pass here: the window is off in `uncond`, the shots stay (section 5)."""
        before = self.shot_state.window
        self.shot_state.window = before and name != "uncond"
        try:
            with super().cache_context(name, **kwargs):
                yield
        finally:
            self.shot_state.window = before

    def forward(
        self,
        hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_image: Tensor | None = None,
        return_dict: bool = True,
        attention_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Velocity of `hidden_states` [batch, 16, latent frames, height/8, width/8], same shape.

        Args:
            timestep: [batch], or one for the whole batch, in 0..1000.
            encoder_hidden_states: [batch, length, text_dim], zero at padding.
        """
        if hidden_states.dtype == torch.bfloat16:
            # The weights were trained with the timestep in bf16 (spacing 4 above 512), section 7.
            timestep = timestep.to(torch.bfloat16).to(torch.float32)
        if timestep.numel() == 1:
            timestep = timestep.reshape(1).expand(hidden_states.shape[0])
        return super().forward(
            hidden_states,
            timestep,
            encoder_hidden_states,
            encoder_hidden_states_image,
            return_dict=return_dict,
            attention_kwargs=attention_kwargs,
        )
