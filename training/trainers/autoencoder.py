"""The autoencoder's trainer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from training.networks.autoencoder import build_autoencoder, decode_clip, encode_clip
from training.networks.flat import FlatParameters
from training.trainers.run import LOG_EVERY_S, Clock, RunOptions, log, rank, start
from training.world.draw import DrawList, draw, lay_out, lay_out_stories
from training.world.scene import random_scene, random_story

FRAMES = 17
SIDE = 128
BATCH = 24
CUT_SHARE = 0.25
"""Share of batches whose clips have a hard cut, which multi-shot videos are full of."""

EDGE_WEIGHT = 4.0
GRADIENT_WEIGHT = 0.5
KL_WEIGHT = 1e-4
SAVE_EVERY_S = 60.0


class ClipStream(IterableDataset[DrawList]):
    """Endless batches of clips to draw; some with a cut at a random place."""

    def __init__(self, batch: int, frames: int, side: int, seed: int) -> None:
        self.batch, self.frames, self.side, self.seed = batch, frames, side, seed

    def __iter__(self) -> Iterator[DrawList]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, 99, worker.id if worker else 0])
        while True:
            if rng.random() < CUT_SHARE:
                cut = 4 * int(rng.integers(1, self.frames // 4)) + 1
                stories = [random_story(rng, 2) for _ in range(self.batch)]
                yield lay_out_stories(stories, [0, cut], self.frames, self.side, self.side, rng)
            else:
                scenes = [random_scene(rng) for _ in range(self.batch)]
                yield lay_out(scenes, self.frames, self.side, self.side, rng)


def _differences(video: Tensor) -> tuple[Tensor, Tensor]:
    return video[..., 1:, :] - video[..., :-1, :], video[..., 1:] - video[..., :-1]


def reconstruction_loss(shown: Tensor, video: Tensor, covered: Tensor) -> Tensor:
    """L1 and twice L2, weighted on the figures' edges, and the L1 of spatial differences."""
    batch, _, frames, height, width = covered.shape
    flat = covered.transpose(1, 2).reshape(batch * frames, 1, height, width)
    edge = F.max_pool2d(flat, 5, 1, 2) + F.max_pool2d(-flat, 5, 1, 2)
    weight = 1 + EDGE_WEIGHT * edge.view(batch, frames, 1, height, width).transpose(1, 2)
    error = shown - video
    pixels = (weight * (error.abs() + 2 * error.square())).mean()
    slopes = [(a - b).abs().mean() for a, b in zip(_differences(shown), _differences(video), strict=True)]
    return pixels + GRADIENT_WEIGHT * (slopes[0] + slopes[1])


def psnr_db(shown: Tensor, video: Tensor) -> Tensor:
    """Peak signal to noise ratio of each clip in dB, [B]; values in -1..1."""
    error = ((shown.clamp(-1, 1) - video) / 2).square().flatten(1).mean(1)
    return -10 * torch.log10(error + 1e-10)


class _Pass(torch.nn.Module):
    """Encode, sample, decode, as one module so that it compiles as one."""

    def __init__(self, vae: AutoencoderKLWan, frozen_encoder: bool) -> None:
        super().__init__()
        self.vae, self.frozen_encoder = vae, frozen_encoder

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_encoder):
            mean, log_variance = encode_clip(self.vae, video)
        mean, log_variance = mean.float(), log_variance.float()
        latents = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return decode_clip(self.vae, latents).float(), divergence


def train(options: RunOptions, *, start_from: Path | None = None, decoder_only: bool = False) -> Path:
    """Train the autoencoder, or with `decoder_only` its decoder against a fixed encoder.

    Writes `vae/` under `options.out` with the statistics that normalise its latents, and returns that folder.
    """
    device = start(options)
    vae = build_autoencoder() if start_from is None else AutoencoderKLWan.from_pretrained(start_from)
    vae = vae.to(device)
    if decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    on_gpu = device.type == "cuda"
    flat = FlatParameters(vae, ema_decay=0.998 if on_gpu else 0.9)
    optimizer = torch.optim.AdamW([flat.values], lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    step_pass = _Pass(vae, decoder_only)
    run_pass = torch.compile(step_pass) if options.compile else step_pass
    side, batch = (SIDE, BATCH) if on_gpu else (32, 2)
    stream = ClipStream(batch, FRAMES, side, options.seed + 1000 * rank())
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
        video, covered = draw(next(loader).to(device), side, side)
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
            shown, divergence = run_pass(video)
        loss = reconstruction_loss(shown, video, covered) + KL_WEIGHT * divergence
        torch.autograd.backward(loss)
        flat.step(optimizer)
        flat.agree()
        if clock.due(LOG_EVERY_S):
            log(options, clock, loss=float(loss.detach()), psnr_db=float(psnr_db(shown.detach(), video).mean()))
            _save(vae, flat, options, stream, device, keep_statistics=decoder_only)
    _save(vae, flat, options, stream, device, keep_statistics=decoder_only)
    return options.out


@torch.no_grad()
def _save(
    vae: AutoencoderKLWan,
    flat: FlatParameters,
    options: RunOptions,
    stream: ClipStream,
    device: torch.device,
    *,
    keep_statistics: bool,
) -> None:
    """Measure the latents with the averaged parameters and write them as bf16."""
    if rank() != 0:
        return
    with flat.averaged():
        if not keep_statistics:
            measured = ClipStream(stream.batch, stream.frames, stream.side, seed=options.seed + 5)
            batches = iter(measured)
            means = [
                encode_clip(vae, draw(next(batches).to(device), stream.side, stream.side)[0])[0].float()
                for _ in range(8 if device.type == "cuda" else 1)
            ]
            latents = torch.cat(means).transpose(0, 1).flatten(1)
            vae.register_to_config(
                latents_mean=[round(v, 5) for v in latents.mean(1).tolist()],
                latents_std=[round(v, 5) for v in latents.std(1).tolist()],
            )
        copy = build_autoencoder()
        copy.register_to_config(latents_mean=vae.config.latents_mean, latents_std=vae.config.latents_std)
        copy.load_state_dict({name: value.cpu().contiguous() for name, value in vae.state_dict().items()})
        copy.to(torch.bfloat16).save_pretrained(options.out / "vae")
