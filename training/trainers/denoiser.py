"""The denoisers' trainer: flow matching on latents of drawn clips."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import UMT5EncoderModel

from training.data.pool import Batch, LatentPool
from training.data.stream import SCENE_TOKENS, STORY_TOKENS, ChunkStream, ClipKind, chunks
from training.networks.autoencoder import LATENT_CHANNELS
from training.networks.bias import padding_bias, shot_of_latent_frame, sparse_bias, window_bias
from training.networks.depth import with_depth
from training.networks.flat import FlatParameters
from training.networks.orthogonal import BlockOptimizer
from training.networks.text import embed
from training.networks.transformer import (
    CONDITION_CHANNELS,
    EAGER,
    SIZES,
    Passes,
    build_transformer,
    compiled_passes,
    predict_velocity,
)
from training.trainers.graphs import StepGraphs
from training.trainers.run import LOG_EVERY_S, Clock, RunOptions, log, rank, start
from training.trainers.tasks import Expert, Task, sample_sigma, tiny

EMPTY_SHARE = 0.1
"""Share of samples whose caption is replaced by the empty one, for classifier-free guidance."""

FIRST_FRAME_WEIGHT = 3.0
"""Weight of the first latent frame's loss in image to video: it must come out as the given image."""

SAVE_EVERY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of everything: full on a GPU, tiny for tests on a CPU."""

    video_tokens: int
    chunk: int
    capacity: int
    first_fill: int
    refresh_every: int


GPU = Scale(video_tokens=110_592, chunk=64, capacity=16_384, first_fill=24, refresh_every=16)
GPU_STORIES = Scale(video_tokens=86_016, chunk=32, capacity=4_096, first_fill=24, refresh_every=16)
CPU = Scale(video_tokens=16, chunk=2, capacity=8, first_fill=1, refresh_every=2)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a forward pass needs beside the latents."""

    text: Tensor
    cross_bias: Tensor
    self_bias: Tensor | None


def empty_caption(encoder: UMT5EncoderModel, positions: int, device: torch.device) -> Tensor:
    """Embeddings of the empty caption, which is an end token and padding, [1, positions, 128]."""
    ids = torch.zeros(1, positions, dtype=torch.long, device=device)
    ids[:, 0] = 1
    with torch.no_grad():
        return embed(encoder, ids)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is drawn once a batch: text positions that padding stands for (a tensor, so that a CUDA graph can be given
    another one), and whether self-attention is sparse."""

    padded_length: Tensor
    sparse: bool


def choose(task: Task, device: torch.device) -> Choice:
    """A random choice of the task."""
    return Choice(
        padded_length=torch.tensor(random.choice(task.padded_lengths), device=device),
        sparse=random.random() < task.sparse_share,
    )


@lru_cache(maxsize=32)
def _shots(kind: ClipKind, device: torch.device) -> Tensor:
    return shot_of_latent_frame(kind.starts, kind.frames).to(device)


def conditions(batch: Batch, choice: Choice, empty: Tensor, nothing: Tensor) -> Conditions:
    """Text embeddings and attention biases of a batch; rows where `empty` [B] is True get the empty caption `nothing`.

    An empty caption has no windows: every position is seen from every shot, as in the negative pass of inference.
    """
    text = torch.where(empty[:, None, None], nothing, batch.text)
    lengths = torch.where(empty, 1, batch.lengths)
    padding = padding_bias(lengths, text.shape[1], choice.padded_length)
    if batch.visible is None:
        return Conditions(text=text, cross_bias=padding[:, None, None], self_bias=None)
    shot_of_frame = _shots(batch.kind, text.device)
    visible = batch.visible | empty[:, None, None]
    per_frame = batch.kind.tokens_per_frame
    return Conditions(
        text=text,
        cross_bias=window_bias(padding, visible, shot_of_frame, per_frame),
        self_bias=sparse_bias(shot_of_frame, per_frame) if choice.sparse else None,
    )


def model_input(noised: Tensor, condition: Tensor | None) -> Tensor:
    """Latents with the condition channels of image to video behind them: a mask of the given frame, its latents."""
    if condition is None:
        return noised
    mask = torch.zeros_like(noised[:, :4])
    mask[:, :, 0] = 1
    return torch.cat([noised, mask, condition], dim=1)


def denoising_loss(
    task: Task,
    expert: Expert,
    model: WanTransformer3DModel,
    nothing: Tensor,
    batch: Batch,
    choice: Choice,
    passes: Passes,
) -> Tensor:
    """Mean squared error of the predicted velocity, noise minus latents."""
    size, device = len(batch.latents), batch.latents.device
    empty = torch.rand(size, device=device) < EMPTY_SHARE
    given = conditions(batch, choice, empty, nothing)
    sigma = sample_sigma(task, expert, size, device)
    noise = torch.randn_like(batch.latents)
    level = sigma.view(-1, 1, 1, 1, 1)
    noised = (1 - level) * batch.latents + level * noise
    predicted = predict_velocity(
        model, model_input(noised, batch.condition), sigma, given.text, given.cross_bias, given.self_bias, passes
    )
    error = (predicted.float() - (noise - batch.latents)).square()
    if task.image:
        error = torch.cat([error[:, :, :1] * FIRST_FRAME_WEIGHT, error[:, :, 1:]], dim=2)
    return error.mean()


def load_frozen(vae: Path, text: Path, device: torch.device) -> tuple[AutoencoderKLWan, UMT5EncoderModel]:
    """The trained autoencoder and text encoder, in float32 and without gradients."""
    autoencoder = AutoencoderKLWan.from_pretrained(vae, torch_dtype=torch.float32).to(device)
    encoder = UMT5EncoderModel.from_pretrained(text, dtype=torch.float32).to(device)
    autoencoder.requires_grad_(False).eval()
    encoder.requires_grad_(False).eval()
    return autoencoder, encoder


def make_pool(
    task: Task,
    options: RunOptions,
    scale: Scale,
    vae: AutoencoderKLWan,
    encoder: UMT5EncoderModel,
    device: torch.device,
) -> LatentPool:
    """A pool of the task's clips, its rings still empty."""
    kinds = [kind for kind, _ in task.kinds]
    seed = options.seed + 1000 * rank()
    stream = ChunkStream(kinds, [weight for _, weight in task.kinds], scale.chunk, seed)
    return LatentPool(
        chunks(stream, options.workers),
        kinds,
        vae,
        encoder,
        device=device,
        capacity=scale.capacity,
        with_condition=task.image,
        seed=seed,
    )


def save_average(model: WanTransformer3DModel, flat: FlatParameters, path: Path) -> None:
    """Write the averaged parameters as bf16 under diffusers' names."""
    if rank() != 0:
        return
    with flat.averaged():
        tensors = {name: value.to("cpu", torch.bfloat16).contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, path)


def _scale(task: Task, device: torch.device, batch_tokens: int | None) -> Scale:
    if device.type != "cuda":
        return CPU
    full = GPU_STORIES if task.stories else GPU
    return full if batch_tokens is None else replace(full, video_tokens=batch_tokens)


def _sampler(task: Task, pool: LatentPool, scale: Scale, seed: int) -> Callable[[], Batch]:
    """Random batches of about `scale.video_tokens` tokens; the kinds come by their weights."""
    weights = [weight for _, weight in task.kinds]
    chooser = random.Random(seed)

    def sample() -> Batch:
        index = chooser.choices(range(len(weights)), weights)[0]
        return pool.sample(index, max(1, scale.video_tokens // pool.kinds[index].tokens))

    return sample


def _fresh(task: Task, start_from: Path | None, layers: int | None, device: torch.device) -> WanTransformer3DModel:
    size = SIZES[task.checkpoint]
    size = replace(size, layers=layers or size.layers)
    model = build_transformer(size, LATENT_CHANNELS + (CONDITION_CHANNELS if task.image else 0))
    if start_from is not None:
        state = with_depth(load_file(start_from), size.layers)
        model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.to(device)


def train(
    task: Task,
    expert: Expert,
    options: RunOptions,
    *,
    vae: Path,
    text: Path,
    start_from: Path | None = None,
    layers: int | None = None,
) -> Path:
    """Train one expert; returns its file, `<expert>.safetensors` under `options.out`, written every minute.

    vae, text: folders of the trained autoencoder and text encoder; start_from: a file to go on from; layers: blocks,
    if not as many as the checkpoint's size has.
    """
    device = start(options)
    on_gpu = device.type == "cuda"
    task = task if on_gpu else tiny(task)
    autoencoder, encoder = load_frozen(vae, text, device)
    model = _fresh(task, start_from, layers, device)
    flat = FlatParameters(model, ema_decay=0.9995 if on_gpu else 0.5)
    optimizer = BlockOptimizer(flat, model.blocks)
    passes = compiled_passes() if options.compile else EAGER
    options.out.mkdir(parents=True, exist_ok=True)
    scale = _scale(task, device, options.batch_tokens)
    clock = Clock(options, device)
    pool = make_pool(task, options, scale, autoencoder, encoder, device)
    pool.fill(scale.first_fill)
    nothing = empty_caption(encoder, STORY_TOKENS if task.stories else SCENE_TOKENS, device)
    sample = _sampler(task, pool, scale, options.seed + 1000 * rank())

    def step(batch: Batch, choice: Choice) -> Tensor:
        # Casts are not cached: a cached one would be freed under a graph that reads it.
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu, cache_enabled=False):
            loss = denoising_loss(task, expert, model, nothing, batch, choice, passes)
        torch.autograd.backward(loss)
        flat.step(optimizer)
        return loss.detach()

    steps = StepGraphs(step) if on_gpu and options.compile else step
    saver = _Saver(model, flat, options.out / f"{expert}.safetensors", clock)
    while clock.tick():
        optimizer.set_learning_rate(clock.learning_rate)
        loss = steps(sample(), choose(task, device))
        flat.agree()
        if clock.step % scale.refresh_every == 0:
            pool.refresh()
        if clock.due(LOG_EVERY_S):
            log(options, clock, loss=float(loss))
            saver.save_if_due()
    return saver.save()


class _Saver:
    """Writes the averaged parameters now and then."""

    def __init__(self, model: WanTransformer3DModel, flat: FlatParameters, path: Path, clock: Clock) -> None:
        self.model, self.flat, self.path, self.clock = model, flat, path, clock
        self.saved = clock.started

    def save_if_due(self) -> None:
        if self.clock.now - self.saved > SAVE_EVERY_S:
            self.save()

    def save(self) -> Path:
        save_average(self.model, self.flat, self.path)
        self.saved = self.clock.now
        return self.path
