"""Chunks of captioned clips, prepared in worker processes as numbers to draw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.captions.compose import CUT_MARKER, SHOTS_MARKER, scene_caption, story_caption
from training.captions.tokenizer import UNKNOWN, build_tokenizer
from training.networks.bias import prompt_ranges, window_visible
from training.world.draw import DrawList, lay_out, lay_out_stories
from training.world.scene import TRAINED_MOTIONS, TRAINED_TWO_FIGURES_SHARE, random_scene, random_story

CAPTIONS_A_CLIP: Final = 4
SCENE_TOKENS: Final = 48
"""More than the longest caption of a scene has, two unknown words included (a test puts the longest together)."""
STORY_TOKENS: Final = 104
UNKNOWN_SHARE: Final = 0.05
"""Share of captions into which one or two unknown words are put, so that prompts with words of their own work."""


@dataclass(frozen=True, kw_only=True)
class ClipKind:
    """Clips that can stand in one batch: size in pixels, frames, and first frames of the shots (one shot: just 0)."""

    frames: int
    height: int
    width: int
    starts: tuple[int, ...] = (0,)

    @property
    def tokens(self) -> int:
        """Video tokens of one clip."""
        return self.tokens_per_frame * ((self.frames - 1) // 4 + 1)

    @property
    def tokens_per_frame(self) -> int:
        """Video tokens of one latent frame."""
        return (self.height // 16) * (self.width // 16)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Clips of one kind: what to draw, ids [clips, captions, L]; for stories, visible [clips, captions, shots, L]."""

    kind: int
    clips: DrawList
    ids: Tensor
    visible: Tensor | None


def _with_unknown(ids: list[int], unknown: int, rng: np.random.Generator) -> list[int]:
    if rng.random() >= UNKNOWN_SHARE or len(ids) >= SCENE_TOKENS - 3:
        return ids
    for _ in range(int(rng.integers(1, 3))):
        ids = [*ids[: (at := int(rng.integers(len(ids))))], unknown, *ids[at:]]
    return ids


class ChunkStream(IterableDataset[Chunk]):
    """An endless stream of chunks, different in each worker, the same for the same seed."""

    def __init__(self, kinds: Sequence[ClipKind], weights: Sequence[float], clips: int, seed: int) -> None:
        self.kinds = tuple(kinds)
        self.weights = np.asarray(weights, dtype=float) / sum(weights)
        self.clips = clips
        self.seed = seed
        self.tokenizer = build_tokenizer()
        self.unknown = self.tokenizer.convert_tokens_to_ids(UNKNOWN)
        self.markers = tuple(self.tokenizer.convert_tokens_to_ids(m) for m in (SHOTS_MARKER, CUT_MARKER))

    def __iter__(self) -> Iterator[Chunk]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            index = int(rng.choice(len(self.kinds), p=self.weights))
            yield self.chunk(index, rng)

    def chunk(self, index: int, rng: np.random.Generator) -> Chunk:
        """One chunk of the kind with the given index."""
        return self._stories(index, rng) if len(self.kinds[index].starts) > 1 else self._scenes(index, rng)

    def _scenes(self, index: int, rng: np.random.Generator) -> Chunk:
        kind = self.kinds[index]
        scenes = [random_scene(rng, TRAINED_TWO_FIGURES_SHARE, TRAINED_MOTIONS) for _ in range(self.clips)]
        ids = torch.zeros(self.clips, CAPTIONS_A_CLIP, SCENE_TOKENS, dtype=torch.long)
        for clip, scene in enumerate(scenes):
            for caption in range(CAPTIONS_A_CLIP):
                text = scene_caption(scene, rng).text
                row = _with_unknown(self.tokenizer(text).input_ids, self.unknown, rng)
                ids[clip, caption, : len(row)] = torch.tensor(row)
        return Chunk(
            kind=index, clips=lay_out(scenes, kind.frames, kind.height, kind.width, rng), ids=ids, visible=None
        )

    def _stories(self, index: int, rng: np.random.Generator) -> Chunk:
        kind = self.kinds[index]
        shots = len(kind.starts)
        stories = [random_story(rng, shots) for _ in range(self.clips)]
        ids = torch.zeros(self.clips, CAPTIONS_A_CLIP, STORY_TOKENS, dtype=torch.long)
        visible = torch.zeros(self.clips, CAPTIONS_A_CLIP, shots, STORY_TOKENS, dtype=torch.bool)
        for clip, story in enumerate(stories):
            for caption in range(CAPTIONS_A_CLIP):
                row = self.tokenizer(story_caption(story, rng).prompt).input_ids
                ids[clip, caption, : len(row)] = torch.tensor(row)
                visible[clip, caption] = window_visible(prompt_ranges(row, *self.markers), STORY_TOKENS)
        clips = lay_out_stories(stories, kind.starts, kind.frames, kind.height, kind.width, rng)
        return Chunk(kind=index, clips=clips, ids=ids, visible=visible)


def _only(batch: list[Chunk]) -> Chunk:
    return batch[0]


def chunks(stream: ChunkStream, workers: int) -> Iterator[Chunk]:
    """The stream's chunks, from `workers` processes (0: in this one)."""
    loader: DataLoader[Chunk] = DataLoader(
        stream,
        batch_size=1,
        collate_fn=_only,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )
    return iter(loader)
