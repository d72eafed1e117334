"""The text encoder: a small UMT5, and the heads by which it learns to read captions."""

from typing import Final

import torch
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from training.world.palette import COLOUR_NAMES, MOTIONS, SHAPES

TEXT_DIM: Final = 128

SLOTS: Final[dict[str, tuple[str, ...]]] = {
    "colour": COLOUR_NAMES,
    "shape": SHAPES,
    "motion": MOTIONS,
    "second_colour": COLOUR_NAMES,
    "second_shape": SHAPES,
    "second_motion": MOTIONS,
    "background": COLOUR_NAMES,
    "gradient": ("plain", "gradient"),
}
"""What every token of a caption must know about the scene; each slot has one class more, for "not said"."""


def build_text_encoder(vocabulary: int) -> UMT5EncoderModel:
    """A fresh encoder of about 0.55 M parameters."""
    config = UMT5Config(
        vocab_size=vocabulary,
        d_model=TEXT_DIM,
        d_kv=32,
        d_ff=256,
        num_layers=3,
        num_heads=4,
        dropout_rate=0.0,
        relative_attention_num_buckets=32,
        relative_attention_max_distance=128,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
    )
    return UMT5EncoderModel(config)


class ReadingHeads(nn.Module):
    """Linear readers, one a slot, over token embeddings [B, L, 128] -> {slot: [B, L, classes + 1]}."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({slot: nn.Linear(TEXT_DIM, len(names) + 1) for slot, names in SLOTS.items()})

    def forward(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Logits of every slot at every token."""
        return {slot: head(embeddings) for slot, head in self.heads.items()}


def embed(encoder: UMT5EncoderModel, ids: Tensor) -> Tensor:
    """Token embeddings as WanPipeline makes them, zero at padding. ids: [B, L], 0 = padding -> [B, L, 128]."""
    mask = ids != 0
    states = encoder(ids, attention_mask=mask.long()).last_hidden_state
    return torch.as_tensor(states * mask[..., None])
