"""Captions as what a denoiser is asked with, for trainers whose clips are the models' own."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import UMT5EncoderModel

from training.data.pool import Batch
from training.data.stream import ClipKind
from training.networks.autoencoder import LATENT_CHANNELS
from training.networks.text import embed
from training.trainers.denoiser import Choice, Conditions, conditions


@dataclass(frozen=True, kw_only=True)
class Prompted:
    """What teacher and student need beside the latents: the text, and the empty one for guidance."""

    given: Conditions
    unguided: Conditions

    def rows(self, rows: slice) -> "Prompted":
        """The same for some of the clips."""
        return Prompted(given=_rows(self.given, rows), unguided=_rows(self.unguided, rows))


def _rows(text: Conditions, rows: slice) -> Conditions:
    return replace(text, text=text.text[rows], cross_bias=text.cross_bias[rows])


@torch.no_grad()
def prompted(encoder: UMT5EncoderModel, ids: Tensor, kind: ClipKind, choice: Choice, nothing: Tensor) -> Prompted:
    """Conditions of captions given as token ids [B, L], 0 at padding; nothing: the empty caption's embeddings."""
    words = embed(encoder, ids)
    batch = Batch(kind=kind, latents=words, condition=None, text=words, lengths=(ids != 0).sum(1), visible=None)
    everyone = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    return Prompted(
        given=conditions(batch, choice, ~everyone, nothing), unguided=conditions(batch, choice, everyone, nothing)
    )


def latent_shape(kind: ClipKind, clips: int) -> torch.Size:
    """The shape of so many clips' latents."""
    return torch.Size((clips, LATENT_CHANNELS, (kind.frames - 1) // 4 + 1, kind.height // 8, kind.width // 8))
