"""Latents of drawn clips on the device, refreshed while training goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor
from transformers import UMT5EncoderModel

from training.data.stream import Chunk, ClipKind
from training.networks.autoencoder import encode_clip, latent_statistics
from training.networks.text import embed
from training.world.draw import draw

ENCODE_AT_ONCE = 32
"""Clips encoded in one pass."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A training batch of one kind.

    latents [B, 16, F, h, w] float32; condition of the same shape (image to video) or None; text [B, L, 128], zero at
    padding; lengths [B], tokens of each text; visible [B, shots, L] or None.
    """

    kind: ClipKind
    latents: Tensor
    condition: Tensor | None
    text: Tensor
    lengths: Tensor
    visible: Tensor | None


CAPTION_COLUMNS = ("text", "lengths", "visible")
"""Columns with one row a caption; the others have one a clip."""


class _Ring:
    """The last `capacity` clips of one kind."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.count = 0
        self.columns: dict[str, Tensor] = {}

    def add(self, **values: Tensor) -> None:
        size = len(values["latents"])
        for name, value in values.items():
            if name not in self.columns:
                self.columns[name] = value.new_zeros((self.capacity, *value.shape[1:]))
            places = (torch.arange(size) + self.count).remainder(self.capacity).to(value.device)
            self.columns[name][places] = value
        self.count += size

    def sample(self, batch: int, generator: torch.Generator) -> dict[str, Tensor]:
        device = self.columns["latents"].device
        filled = min(self.count, self.capacity)
        clips = torch.randint(filled, (batch,), device=device, generator=generator)
        caption = torch.randint(self.columns["text"].shape[1], (batch,), device=device, generator=generator)
        rows = {name: values[clips] for name, values in self.columns.items() if name in ("latents", "condition")}
        rows |= {name: values[clips, caption] for name, values in self.columns.items() if name in CAPTION_COLUMNS}
        return rows


class LatentPool:
    """Clips drawn, encoded and kept, one ring a kind."""

    def __init__(
        self,
        chunks: Iterator[Chunk],
        kinds: Sequence[ClipKind],
        vae: AutoencoderKLWan,
        encoder: UMT5EncoderModel,
        *,
        device: torch.device,
        capacity: int,
        with_condition: bool,
        seed: int,
    ) -> None:
        self.chunks, self.kinds, self.device = chunks, tuple(kinds), device
        self.vae, self.encoder = vae, encoder
        self.with_condition = with_condition
        self.rings = [_Ring(capacity) for _ in kinds]
        self.generator = torch.Generator(device).manual_seed(seed)
        self.mean, self.std = latent_statistics(vae)

    @torch.no_grad()
    def _encode(self, video: Tensor) -> Tensor:
        parts = []
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            for part in torch.split(video, ENCODE_AT_ONCE):
                mean, _ = encode_clip(self.vae, part)
                parts.append(((mean.float() - self.mean) / self.std).to(torch.bfloat16))
        return torch.cat(parts)

    def _read(self, ids: Tensor) -> dict[str, Tensor]:
        text = embed(self.encoder, ids.flatten(0, 1)).to(torch.bfloat16)
        return {"text": text.view(*ids.shape, -1), "lengths": (ids != 0).sum(-1)}

    @torch.no_grad()
    def refresh(self) -> None:
        """Draw, encode and keep the next chunk."""
        chunk = next(self.chunks)
        kind = self.kinds[chunk.kind]
        video, _ = draw(chunk.clips.to(self.device), kind.height, kind.width)
        columns = {"latents": self._encode(video), **self._read(chunk.ids.to(self.device))}
        if self.with_condition:
            image = torch.zeros_like(video)
            image[:, :, 0] = video[:, :, 0]
            columns["condition"] = self._encode(image)
        if chunk.visible is not None:
            columns["visible"] = chunk.visible.to(self.device)
        self.rings[chunk.kind].add(**columns)

    def fill(self, chunks: int) -> None:
        """Take in a number of chunks, and go on until every kind has some clips."""
        taken = 0
        while taken < chunks or any(ring.count == 0 for ring in self.rings):
            self.refresh()
            taken += 1

    def sample(self, kind: int, batch: int) -> Batch:
        """A random batch of one kind; clips and captions are drawn with replacement."""
        rows = self.rings[kind].sample(batch, self.generator)
        condition = rows.get("condition")
        return Batch(
            kind=self.kinds[kind],
            latents=rows["latents"].float(),
            condition=None if condition is None else condition.float(),
            text=rows["text"].float(),
            lengths=rows["lengths"],
            visible=rows.get("visible"),
        )
