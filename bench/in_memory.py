"""The project's own engine over full-size networks with random weights: no file, no text encoder, else all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline

from bench import networks
from bench.networks import CUDA
from models import catalog
from models.common.embeddings import Embedding
from models.common.engine import DiffusersVideoModel
from models.common.pipelines import PipelineSet
from models.common.residency import Places, Residency
from models.common.resumable import resumable
from models.interface import GenerationRequest
from models.placement.plan import Tier
from models.speed.tiers import Acceleration
from models.wan.family import WanFamily

MODEL = "wan2.2-t2v-a14b"
_REVISION = "random weights of one seed"


class RandomTexts(WanFamily):
    """Texts become random embeddings, the same in every process, padded as Wan's are."""

    def encode(self, pipe: Any, text: str, image: Any) -> Embedding:  # noqa: ARG002
        generator = torch.Generator().manual_seed(len(text))
        embeds = torch.randn(1, 512, 4096, generator=generator).to(torch.bfloat16)
        embeds[:, networks.WORDS :] = 0
        return {"embeds": embeds}


class RandomPipelines(PipelineSet):
    """`PipelineSet` with networks made on the spot. One expert serves as both: two would not fit beside the rest."""

    def __init__(self, *, acceleration: Acceleration, residency: Residency) -> None:
        self.device, self.dtype, self.residency, self.acceleration = CUDA, torch.bfloat16, residency, acceleration
        self.revision = _REVISION
        self.places = Places(residency, CUDA, acceleration)
        torch.manual_seed(11)
        denoiser = networks.denoiser(MODEL)
        vae: AutoencoderKLWan = networks.vae(MODEL, torch.float32)
        scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
        self._pipe = resumable(WanPipeline)(
            tokenizer=None, text_encoder=None, vae=vae, scheduler=scheduler, transformer=denoiser, transformer_2=None
        )
        self._pipe.set_progress_bar_config(disable=True)
        self._pipe.run_device = CUDA
        self._published_scheduler = scheduler
        self.places.settle(denoisers=[denoiser], vae=vae)

    def text(self, *, with_image: bool) -> Any:  # noqa: ARG002
        return None

    def release_text(self) -> None:
        """There is none."""

    def unload(self) -> None:
        self._pipe = None
        self.places.close()
        networks.release()

    def generation(self, *, with_image: bool) -> Any:  # noqa: ARG002
        return self._pipe


def engine(acceleration: Acceleration, *, tier: Tier | None = "exact") -> DiffusersVideoModel:
    """Wan A14B, resident on the GPU. `tier` says how it decodes, None as the published recipe does."""
    residency = Residency(keep_text_encoder=True, tier=tier)
    pipelines = RandomPipelines(acceleration=acceleration, residency=residency)
    return DiffusersVideoModel(
        spec=catalog.get(MODEL), family=RandomTexts(text=True, image=False, two_experts=False), pipelines=pipelines
    )


def request(steps: int, *, guidance: float = 4.0, size: tuple[int, int] = (832, 480)) -> GenerationRequest:
    return GenerationRequest(
        model=MODEL,
        prompt="a",
        negative_prompt="bb",
        width=size[0],
        height=size[1],
        num_frames=81,
        fps=16,
        num_inference_steps=steps,
        guidance_scale=guidance,
        seed=3,
    )


def frames_of(model: DiffusersVideoModel, asked: GenerationRequest, **given: Any) -> Iterator[Any]:
    return model.generate(asked, **({"on_step": _pass_over, "on_phase": _pass_over} | given))


def _pass_over(_: object) -> None:
    """Nobody asks."""
