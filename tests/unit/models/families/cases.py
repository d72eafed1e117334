"""Every family and task on tiny random weights: how to make them, what to ask for, what stock diffusers is asked.

The stock side names its classes and arguments itself, so that a family which calls the wrong class, forgets an argument
or decodes differently is found.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import PIL.Image
import torch

from models import catalog, tiny
from models.common.engine import DiffusersVideoModel
from models.interface import Checkpoint, GenerationRequest, GenerationStopped, Step, VideoModel

WeightsOf = Callable[[str], Path]

STEPS = 4
SEED = 11
PROMPT = "a red circle moving left"
NEGATIVE = "a blue square"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One family and task. `schedulers`: name in our requests -> the stock scheduler, None for the published one;
    names that mean the default and nothing else need no run of their own."""

    name: str
    model: str
    build: Callable[[Path], None]
    stock: Any
    schedulers: Mapping[str, Callable[[], Any] | None]
    ask: Mapping[str, Any] = field(default_factory=dict)
    stock_call: Mapping[str, Any] = field(default_factory=dict)
    with_image: bool = False
    guided: bool = True

    @property
    def family(self) -> str:
        return catalog.get(self.model).family


def _unipc() -> Any:
    return diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
    )


class _Euler(diffusers.FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]
    """Told its noise levels by hand: WanPipeline itself has no argument for them."""

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        super().set_timesteps(
            sigmas=[1 - step / num_inference_steps for step in range(num_inference_steps)], device=device
        )


def _euler() -> Any:
    return _Euler(num_train_timesteps=1000, shift=3.0)


def _dpm() -> Any:
    return diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
    )


def _cog(cls: Any) -> Callable[[], Any]:
    return lambda: cls(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        set_alpha_to_one=True,
        snr_shift_scale=1.0,
        timestep_spacing="trailing",
    )


_WAN_SCHEDULERS = {"default": None, "unipc": _unipc, "flow-match-euler": _euler, "dpm-solver": _dpm}
_COG_SCHEDULERS = {
    "default": None,
    "cogvideox-dpm": _cog(diffusers.CogVideoXDPMScheduler),
    "cogvideox-ddim": _cog(diffusers.CogVideoXDDIMScheduler),
}
_HUNYUAN_SCHEDULERS = {
    "default": None,
    "flow-match-euler": lambda: diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=7.0),
}
_PUBLISHED = {"default": None}
_TWO_EXPERTS = {"guidance_scale_2": 4.0}

CASES = {
    case.name: case
    for case in (
        Case(
            name="wan-t2v-two-experts",
            model="wan2.2-t2v-a14b",
            build=tiny.wan,
            stock=diffusers.WanPipeline,
            schedulers=_WAN_SCHEDULERS,
            ask=_TWO_EXPERTS,
            stock_call=_TWO_EXPERTS,
        ),
        Case(
            name="wan-t2v-one-expert-unguided",
            model="wan-mini",
            build=lambda folder: tiny.wan(folder, two_experts=False, euler=True),
            stock=diffusers.WanPipeline,
            schedulers=_WAN_SCHEDULERS,
            ask={"guidance_scale": 1.0},
            stock_call={"guidance_scale": 1.0},
        ),
        Case(
            name="wan-i2v-two-experts",
            model="wan2.2-i2v-a14b",
            build=lambda folder: tiny.wan(folder, image=True),
            stock=diffusers.WanImageToVideoPipeline,
            schedulers=_WAN_SCHEDULERS,
            ask=_TWO_EXPERTS,
            stock_call=_TWO_EXPERTS,
            with_image=True,
        ),
        Case(
            name="wan-ti2v-text",
            model="wan2.2-ti2v-5b",
            build=tiny.wan_ti2v,
            stock=diffusers.WanPipeline,
            schedulers=_WAN_SCHEDULERS,
        ),
        Case(
            name="wan-ti2v-image",
            model="wan2.2-ti2v-5b",
            build=tiny.wan_ti2v,
            stock=diffusers.WanImageToVideoPipeline,
            schedulers=_WAN_SCHEDULERS,
            with_image=True,
        ),
        Case(
            name="hunyuan-t2v",
            model="hunyuan-video",
            build=tiny.hunyuan_video,
            stock=diffusers.HunyuanVideoPipeline,
            schedulers=_HUNYUAN_SCHEDULERS,
            guided=False,
        ),
        Case(
            name="hunyuan-i2v-token-replace",
            model="hunyuan-video-i2v",
            build=tiny.hunyuan_video_i2v,
            stock=diffusers.HunyuanVideoImageToVideoPipeline,
            schedulers=_HUNYUAN_SCHEDULERS,
            with_image=True,
            guided=False,
        ),
        Case(
            name="hunyuan-i2v-latent-concat",
            model="hunyuan-video-i2v",
            build=lambda folder: tiny.hunyuan_video_i2v(folder, image_condition_type="latent_concat"),
            stock=diffusers.HunyuanVideoImageToVideoPipeline,
            schedulers=_PUBLISHED,
            # The stock pipeline returns 4 frames fewer than it is asked for; ours as many as asked.
            stock_call={"num_frames": 13},
            with_image=True,
            guided=False,
        ),
        Case(
            name="cogvideox-t2v",
            model="cogvideox-5b",
            build=tiny.cogvideox,
            stock=diffusers.CogVideoXPipeline,
            schedulers=_COG_SCHEDULERS,
        ),
        Case(
            name="cogvideox-i2v",
            model="cogvideox-5b-i2v",
            build=lambda folder: tiny.cogvideox(folder, image=True),
            stock=diffusers.CogVideoXImageToVideoPipeline,
            schedulers=_COG_SCHEDULERS,
            with_image=True,
        ),
        Case(
            name="mochi-t2v",
            model="mochi-1",
            build=tiny.mochi,
            stock=diffusers.MochiPipeline,
            schedulers=_PUBLISHED,
            ask={"num_frames": 7},
            stock_call={"num_frames": 7},
        ),
        Case(
            name="ltx-t2v",
            model="ltx-video",
            build=tiny.ltx,
            stock=diffusers.LTXPipeline,
            schedulers=_PUBLISHED,
            ask={"width": 64, "height": 64, "fps": 25},
            stock_call={"width": 64, "height": 64, "frame_rate": 25},
        ),
        Case(
            name="ltx-i2v",
            model="ltx-video",
            build=tiny.ltx,
            stock=diffusers.LTXImageToVideoPipeline,
            schedulers=_PUBLISHED,
            ask={"width": 64, "height": 64, "fps": 25},
            stock_call={"width": 64, "height": 64, "frame_rate": 25},
            with_image=True,
        ),
        Case(
            name="ltx-t2v-denoising-decoder",
            model="ltx-video",
            build=lambda folder: tiny.ltx(folder, denoising_decoder=True),
            stock=diffusers.LTXPipeline,
            schedulers=_PUBLISHED,
            ask={"width": 64, "height": 64, "fps": 25},
            stock_call={
                "width": 64,
                "height": 64,
                "frame_rate": 25,
                "decode_timestep": 0.05,
                "decode_noise_scale": 0.025,
            },
        ),
    )
}


def load(case: Case, folder: Path) -> DiffusersVideoModel:
    # What is compared with the stock pipeline bit by bit must run its kernels.
    spec = catalog.get(case.model).variant(cpu_kernels="stock")
    model: DiffusersVideoModel = importlib.import_module(spec.module).load(
        spec, weights_dir=folder, device="cpu", plan=None
    )
    return model


def request(case: Case, folder: Path, **changes: Any) -> GenerationRequest:
    fields: dict[str, Any] = {
        "model": case.model,
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "width": 32,
        "height": 32,
        "num_frames": 9,
        "fps": 16,
        "num_inference_steps": STEPS,
        "guidance_scale": 3.0,
        "seed": SEED,
        "image": _image_file(folder) if case.with_image else None,
    }
    return GenerationRequest(**(fields | dict(case.ask) | changes))


def stock_frames(
    case: Case, folder: Path, scheduler: str = "default", prepare: Callable[[Any], None] = lambda pipe: None
) -> np.ndarray:
    pipe = case.stock.from_pretrained(folder, dtype=torch.float32)
    prepare(pipe)
    make = case.schedulers[scheduler]
    if make is not None:
        pipe.scheduler = make()
    arguments: dict[str, Any] = {
        "prompt": PROMPT,
        "width": 32,
        "height": 32,
        "num_frames": 9,
        "num_inference_steps": STEPS,
        "guidance_scale": 3.0,
        "generator": torch.Generator().manual_seed(SEED),
        "output_type": "pil",
    }
    if case.guided:
        arguments["negative_prompt"] = NEGATIVE
    if case.with_image:
        arguments["image"] = PIL.Image.open(_image_file(folder))
    frames = pipe(**(arguments | dict(case.stock_call))).frames[0]
    return np.stack([np.asarray(frame) for frame in frames])


def frames_of(
    model: VideoModel,
    asked: GenerationRequest,
    resume: Checkpoint | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> np.ndarray:
    return np.stack(list(model.generate(asked, resume=resume, on_step=on_step, on_phase=lambda phase: None)))


def checkpoint_after(model: VideoModel, asked: GenerationRequest, step: int) -> Checkpoint:
    """Generates until `step` is done, and stops there, as an agent does that has been given notice."""
    taken: list[Checkpoint] = []

    def stop(done: Step) -> None:
        if done.index == step:
            taken.append(done.snapshot())
            raise GenerationStopped

    try:
        frames_of(model, asked, on_step=stop)
    except GenerationStopped:
        return taken[0]
    raise AssertionError(f"the generation ended before step {step}")


def _image_file(folder: Path) -> Path:
    path = folder.parent / f"{folder.name}-first-frame.png"
    if not path.exists():
        across = np.linspace(0, 255, 48, dtype=np.uint8)
        pixels = np.stack(np.broadcast_arrays(across[None, :], across[:, None], np.uint8(90)), axis=-1)
        PIL.Image.fromarray(pixels).save(path)
    return path
