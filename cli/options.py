"""The options that say what a video is to be like and how its request is sent: one definition for every command."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.exits import usage
from cli.request import image_value


def _asks(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel="Request")


def _does(*names: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel="Doing", **more)


class Codec(StrEnum):
    H264 = "h264"
    H265 = "h265"
    PRORES = "prores"


class Continuity(StrEnum):
    CUT = "cut"
    CHAIN = "chain"


class Tier(StrEnum):
    EXACT = "exact"
    FAST = "fast"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


Timeout = Annotated[float | None, _does("--timeout", help="Wait at most so long.", metavar="S", min=0)]


@dataclass(frozen=True, kw_only=True)
class Continued:
    """What can be said of a video that begins at a frame of another, which gives the rest."""

    model: Annotated[str | None, _asks("--model", "-m", help="Model id; the deployment's default if left out.")] = None
    seconds: Annotated[str | None, _asks("--seconds", help="Length of the video.", metavar="S")] = None
    frames: Annotated[int | None, _asks("--frames", help="Length in frames, instead of --seconds.", metavar="N")] = None
    seed: Annotated[int | None, _asks("--seed", help="The same request and seed make the same video.", metavar="N")] = (
        None
    )
    steps: Annotated[int | None, _asks("--steps", help="Denoise steps.", metavar="N")] = None

    def body(self) -> dict[str, Any]:
        """What was given, by the API's names. Raises CliError."""
        return _given(
            model=self.model,
            seconds=self.seconds,
            num_frames=self.frames,
            seed=self.seed,
            num_inference_steps=self.steps,
        )


@dataclass(frozen=True, kw_only=True)
class Asked(Continued):
    """All that can be said of a video, but for the prompt."""

    size: Annotated[str | None, _asks("--size", help="WIDTHxHEIGHT, for example 832x480.", metavar="SIZE")] = None
    fps: Annotated[int | None, _asks("--fps", help="Frames a second.", metavar="N")] = None
    guidance: Annotated[float | None, _asks("--guidance", help="Guidance scale.", metavar="X")] = None
    guidance_2: Annotated[
        float | None, _asks("--guidance-2", help="Guidance scale of the second expert.", metavar="X")
    ] = None
    scheduler: Annotated[
        str | None, _asks("--scheduler", help="Sampler, one of the model's; 'flow-match-euler' for LoRAs of few steps.")
    ] = None
    flow_shift: Annotated[
        float | None, _asks("--flow-shift", help="Shift of the noise levels, if not the published one.", metavar="X")
    ] = None
    negative: Annotated[str | None, _asks("--negative", help="What to avoid.", metavar="TEXT")] = None
    image: Annotated[
        str | None,
        _asks(
            "--image",
            help="Input image: a file, an https URL or an upload's id; cut to the video's shape.",
            metavar="IMAGE",
        ),
    ] = None
    shot: Annotated[
        list[str] | None, _asks("--shot", help="A shot, again for each; '81:text' gives it 81 frames.", metavar="TEXT")
    ] = None
    continuity: Annotated[
        Continuity | None, _asks("--continuity", help="How shots follow: cut, or chain from the last frame.")
    ] = None
    lora: Annotated[list[str] | None, _asks("--lora", help="NAME or NAME:SCALE, again for each.", metavar="LORA")] = (
        None
    )
    tier: Annotated[Tier | None, _asks("--tier", help="exact, or fast with quantised weights.")] = None
    priority: Annotated[Priority | None, _asks("--priority", help="Place in the queue.")] = None
    deadline: Annotated[int | None, _asks("--deadline", help="Fail if not begun by then.", metavar="UNIX_S")] = None
    metadata: Annotated[
        list[str] | None, _asks("--metadata", help="KEY=VALUE, again for each; comes back in events.", metavar="PAIR")
    ] = None
    codec: Annotated[Codec | None, _asks("--codec", help="How the file is encoded.")] = None
    upscale: Annotated[int | None, _asks("--upscale", help="Multiply the sides: 2 or 4.", metavar="N")] = None
    interpolate: Annotated[int | None, _asks("--interpolate", help="Multiply the frame rate: 2 or 4.", metavar="N")] = (
        None
    )

    def body(self) -> dict[str, Any]:
        """What was given, by the API's names. Raises CliError."""
        plain = _given(
            size=self.size,
            fps=self.fps,
            guidance_scale=self.guidance,
            guidance_scale_2=self.guidance_2,
            scheduler=self.scheduler,
            flow_shift=self.flow_shift,
            negative_prompt=self.negative,
            continuity=self.continuity,
            tier=self.tier,
            priority=self.priority,
            deadline=self.deadline,
        )
        built = {
            "image": None if self.image is None else image_value(self.image),
            "shots": [_shot(text) for text in self.shot or ()],
            "loras": [_lora(text) for text in self.lora or ()],
            "metadata": dict(_pair(text) for text in self.metadata or ()),
            "output": _given(codec=self.codec, upscale=self.upscale, interpolate=self.interpolate),
        }
        return super().body() | plain | {name: value for name, value in built.items() if value}


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How the request is sent, and whether its video is waited for."""

    wait: Annotated[bool, _does("--wait", "-w", help="Follow it to its end.")] = False
    timeout: Timeout = None
    output: Annotated[
        Path | None, _does("--output", "-o", help="Wait, and write the video here (a file or a folder).")
    ] = None
    idempotency_key: Annotated[
        str | None,
        _does("--idempotency-key", help="The same key and request make one video, however often sent.", metavar="KEY"),
    ] = None


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _shot(text: str) -> dict[str, Any]:
    head, colon, rest = text.partition(":")
    if colon and head.isascii() and head.isdecimal():
        return {"prompt": rest.strip(), "num_frames": int(head)}
    return {"prompt": text}


def _lora(text: str) -> dict[str, Any]:
    name, colon, scale = text.partition(":")
    if not colon:
        return {"name": name}
    try:
        return {"name": name, "scale": float(scale)}
    except ValueError as error:
        raise usage(f"'{scale}' is no scale of a LoRA", hint="write --lora NAME:0.8") from error


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise usage(f"'{text}' is no pair", hint="write --metadata KEY=VALUE")
    return name, value
