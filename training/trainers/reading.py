"""The text encoder learns to read: every token of a caption must know the whole scene (or shot) it belongs to.

The denoisers then train on a frozen encoder in which colours are already bound to their shapes; trained jointly, that
binding comes late and suddenly. All checkpoints share this one encoder.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import UMT5EncoderModel

from training.captions.compose import CUT_MARKER, SHOTS_MARKER, Caption, scene_caption, story_caption
from training.captions.tokenizer import UNKNOWN, build_tokenizer
from training.data.stream import SCENE_TOKENS, STORY_TOKENS, _with_unknown
from training.networks.bias import prompt_ranges
from training.networks.flat import FlatParameters
from training.networks.text import SLOTS, ReadingHeads, build_text_encoder, embed
from training.trainers.run import LOG_EVERY_S, Clock, RunOptions, log, start
from training.world.scene import Scene, random_scene, random_story

IGNORED = -100
STORY_SHARE = 0.4
BATCH = 512


def _names(scene: Scene, *, says_background: bool, says_motion: bool) -> dict[str, str]:
    first = scene.figures[0]
    names = {"colour": first.colour, "shape": first.shape}
    if says_motion:
        names["motion"] = first.motion
    if len(scene.figures) > 1:
        second = scene.figures[1]
        names |= {"second_colour": second.colour, "second_shape": second.shape, "second_motion": second.motion}
    if says_background:
        names |= {"background": scene.background, "gradient": "gradient" if scene.gradient else "plain"}
    return names


def slot_classes(names: dict[str, str]) -> list[int]:
    """Class of each slot, in the order of SLOTS; the last class of a slot means "not said"."""
    return [options.index(names[slot]) if slot in names else len(options) for slot, options in SLOTS.items()]


class ReadingStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches (ids [B, L], classes [B, L, slots]); padding has class IGNORED."""

    def __init__(self, batch: int, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self.tokenizer = build_tokenizer()
        self.unknown = self.tokenizer.convert_tokens_to_ids(UNKNOWN)
        self.markers = tuple(self.tokenizer.convert_tokens_to_ids(m) for m in (SHOTS_MARKER, CUT_MARKER))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, 77, worker.id if worker else 0])
        while True:
            make, length = (self._story, STORY_TOKENS) if rng.random() < STORY_SHARE else (self._scene, SCENE_TOKENS)
            ids = torch.zeros(self.batch, length, dtype=torch.long)
            classes = torch.full((self.batch, length, len(SLOTS)), IGNORED)
            for row in range(self.batch):
                tokens, labels = make(rng)
                ids[row, : len(tokens)] = torch.tensor(tokens)
                classes[row, : len(tokens)] = torch.tensor(labels)
            yield ids, classes

    def _scene(self, rng: np.random.Generator) -> tuple[list[int], list[list[int]]]:
        scene = random_scene(rng, two_figures_share=0.4)
        caption: Caption = scene_caption(scene, rng)
        tokens = _with_unknown(self.tokenizer(caption.text).input_ids, self.unknown, rng)
        labels = slot_classes(_names(scene, says_background=caption.says_background, says_motion=caption.says_motion))
        return tokens, [labels] * len(tokens)

    def _story(self, rng: np.random.Generator) -> tuple[list[int], list[list[int]]]:
        story = random_story(rng, int(rng.integers(2, 5)))
        tokens = self.tokenizer(story_caption(story, rng).prompt).input_ids
        ranges = prompt_ranges(tokens, *self.markers)
        character = slot_classes({"colour": story.character.colour, "shape": story.character.shape})
        labels = [character] * len(tokens)
        for shot, (begin, end) in zip(story.shots, ranges.shots, strict=True):
            wanted = slot_classes(_names(shot, says_background=True, says_motion=True))
            labels[begin:end] = [wanted] * (end - begin)
        return tokens, labels


def reading_loss(encoder: UMT5EncoderModel, heads: ReadingHeads, ids: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy over slots and tokens, and the share of right classes in each slot, [slots]."""
    logits = heads(embed(encoder, ids))
    losses, right = [], []
    for slot, values in enumerate(logits.values()):
        target = classes[..., slot]
        losses.append(F.cross_entropy(values.flatten(0, 1), target.flatten(), ignore_index=IGNORED))
        said = target != IGNORED
        right.append((values.argmax(-1)[said] == target[said]).float().mean())
    return torch.stack(losses).sum(), torch.stack(right)


def train(options: RunOptions) -> Path:
    """Train the text encoder; writes `text_encoder/` and `tokenizer/` under `options.out` and returns that folder."""
    device = start(options)
    stream = ReadingStream(BATCH if options.device == "cuda" else 8, options.seed)
    encoder = build_text_encoder(len(stream.tokenizer)).to(device)
    heads = ReadingHeads().to(device)
    flat = FlatParameters(encoder, heads, ema_decay=0.995)
    optimizer = torch.optim.AdamW([flat.values], lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    loader = iter(
        DataLoader(
            stream,
            batch_size=None,
            num_workers=options.workers,
            multiprocessing_context="spawn" if options.workers else None,
        )
    )
    options.out.mkdir(parents=True, exist_ok=True)
    clock = Clock(options, device)
    while clock.tick():
        optimizer.param_groups[0]["lr"] = clock.learning_rate
        ids, classes = next(loader)
        loss, right = reading_loss(encoder, heads, ids.to(device), classes.to(device))
        torch.autograd.backward(loss)
        flat.step(optimizer)
        flat.agree()
        if clock.due(LOG_EVERY_S):
            log(
                options,
                clock,
                loss=float(loss.detach()),
                worst=float(right.min()),
                **dict(zip(SLOTS, right.tolist(), strict=True)),
            )
    with flat.averaged():
        encoder.to(torch.bfloat16).save_pretrained(options.out / "text_encoder")
    stream.tokenizer.save_pretrained(options.out / "tokenizer")
    return options.out
