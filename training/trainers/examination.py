"""What the judge says, while a trainer runs, of the clips that its model makes by now."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor
from transformers import UMT5EncoderModel

from training.captions.compose import scene_caption
from training.captions.tokenizer import build_tokenizer
from training.data.stream import SCENE_TOKENS, ClipKind
from training.judge.verdict import Reading, judge, read_clips
from training.networks.autoencoder import decode_clip, latent_statistics
from training.networks.bias import PADDED_LENGTH
from training.trainers.denoiser import Choice
from training.trainers.prompted import Prompted, latent_shape, prompted
from training.world.scene import TWO_FIGURES_SHARE, random_scene

AT_ONCE: Final = 64
"""Clips made, decoded and judged in one pass."""

SEED: Final = 71
ASKED_TWO_FIGURES_SHARE: Final = 0.5
"""Share of the examined scenes with two figures: what they show is the less certain, so more of them are looked at."""


@dataclass(frozen=True, kw_only=True)
class Right:
    """Shares of the clips with one figure, and of those with two, that show all that was asked for."""

    one: float
    two: float

    @property
    def all(self) -> float:
        """The share among scenes as the world has them."""
        return (1 - TWO_FIGURES_SHARE) * self.one + TWO_FIGURES_SHARE * self.two


def read_latents(vae: AutoencoderKLWan, latents: Tensor) -> list[Reading]:
    """What the judge reads off clips given as normalised latents [B, 16, F, h, w]."""
    mean, std = latent_statistics(vae)
    with torch.autocast(latents.device.type, torch.bfloat16, enabled=latents.is_cuda):
        video = decode_clip(vae, latents.float() * std + mean)
    return read_clips((video.float().clamp(-1, 1) + 1).permute(0, 2, 3, 4, 1) / 2)


class Examination:
    """The same random prompts and the same noise each time; none of the prompts is a held-out one."""

    def __init__(
        self, encoder: UMT5EncoderModel, vae: AutoencoderKLWan, kind: ClipKind, nothing: Tensor, clips: int
    ) -> None:
        rng, tokenizer = np.random.default_rng([SEED, clips]), build_tokenizer()
        self.vae, self.kind, self.device = vae, kind, nothing.device
        self.scenes = [random_scene(rng, ASKED_TWO_FIGURES_SHARE) for _ in range(clips)]
        captions = [scene_caption(scene, rng, complete=True).text for scene in self.scenes]
        ids = tokenizer(captions, padding="max_length", max_length=SCENE_TOKENS, return_tensors="pt").input_ids
        choice = Choice(padded_length=torch.tensor(PADDED_LENGTH, device=self.device), sparse=False)
        self.text = prompted(encoder, ids.to(self.device), kind, choice, nothing)

    @torch.no_grad()
    def right(self, make: Callable[[Tensor, Prompted], Tensor]) -> Right:
        """Judge what `make` makes: normalised latents, from noise under conditions."""
        generator = torch.Generator(self.device).manual_seed(SEED)
        verdicts: dict[int, list[bool]] = {1: [], 2: []}
        for begin in range(0, len(self.scenes), AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            shape = latent_shape(self.kind, len(self.scenes[rows]))
            noise = torch.randn(shape, device=self.device, generator=generator)
            readings = read_latents(self.vae, make(noise, self.text.rows(rows)))
            for scene, reading in zip(self.scenes[rows], readings, strict=True):
                verdicts[len(scene.figures)].append(judge(scene, reading).all_right)
        one, two = (sum(verdicts[count]) / max(1, len(verdicts[count])) for count in (1, 2))
        return Right(one=one, two=two)
