"""The options of a request as the API's body, and the files that hold requests."""

import base64
import json
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cli.exits import CliError, Exit, usage

if TYPE_CHECKING:  # what reads files is loaded where there is one: it takes half a second
    from jobs.drop.entries import Entry
    from jobs.errors import RequestError

MAX_INLINE_BYTES = 4_000_000  # of an image in the body: Lambda takes 6 MB, base64 makes three bytes four

_UPLOAD_ID = re.compile(r"^(upload|file)[_-][A-Za-z0-9]+$")
_REQUEST = "Request"


def _option(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=_REQUEST)


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


Model = Annotated[str | None, _option("--model", "-m", help="Model id; the deployment's default if left out.")]
Size = Annotated[str | None, _option("--size", help="WIDTHxHEIGHT, for example 832x480.", metavar="SIZE")]
Seconds = Annotated[str | None, _option("--seconds", help="Length of the video.", metavar="S")]
Frames = Annotated[int | None, _option("--frames", help="Length in frames, instead of --seconds.", metavar="N")]
Fps = Annotated[int | None, _option("--fps", help="Frames a second.", metavar="N")]
Seed = Annotated[int | None, _option("--seed", help="The same request and seed make the same video.", metavar="N")]
Steps = Annotated[int | None, _option("--steps", help="Denoise steps.", metavar="N")]
Guidance = Annotated[float | None, _option("--guidance", help="Guidance scale.", metavar="X")]
Guidance2 = Annotated[float | None, _option("--guidance-2", help="Guidance scale of the second expert.", metavar="X")]
Negative = Annotated[str | None, _option("--negative", help="What to avoid.", metavar="TEXT")]
Image = Annotated[
    str | None, _option("--image", help="Input image: a file, an https URL or an upload's id.", metavar="IMAGE")
]
Shots = Annotated[
    list[str] | None, _option("--shot", help="A shot, again for each; '81:text' gives it 81 frames.", metavar="TEXT")
]
Join = Annotated[
    Continuity | None, _option("--continuity", help="How shots follow: cut, or chain from the last frame.")
]
Loras = Annotated[list[str] | None, _option("--lora", help="NAME or NAME:SCALE, again for each.", metavar="LORA")]
Numerics = Annotated[Tier | None, _option("--tier", help="exact, or fast with quantised weights.")]
Urgency = Annotated[Priority | None, _option("--priority", help="Place in the queue.")]
Deadline = Annotated[int | None, _option("--deadline", help="Fail if not begun by then.", metavar="UNIX_S")]
Metadata = Annotated[
    list[str] | None, _option("--metadata", help="KEY=VALUE, again for each; comes back in events.", metavar="PAIR")
]
OutputCodec = Annotated[Codec | None, _option("--codec", help="How the file is encoded.")]
Upscale = Annotated[int | None, _option("--upscale", help="Multiply the sides: 2 or 4.", metavar="N")]
Interpolate = Annotated[int | None, _option("--interpolate", help="Multiply the frame rate: 2 or 4.", metavar="N")]


class Parsed(NamedTuple):
    """A request of a file: its fields, or what is wrong with them. `texts`: the values are strings (CSV)."""

    line: int
    fields: dict[str, Any]
    error: "RequestError | None"
    texts: bool


def body_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The API's body of the options that were given (names as in the parameters of `submit`). Raises CliError."""
    plain = {
        "model": options["model"],
        "prompt": options["prompt"],
        "negative_prompt": options["negative"],
        "size": options["size"],
        "seconds": options["seconds"],
        "num_frames": options["frames"],
        "fps": options["fps"],
        "seed": options["seed"],
        "num_inference_steps": options["steps"],
        "guidance_scale": options["guidance"],
        "guidance_scale_2": options["guidance_2"],
        "continuity": options["continuity"],
        "tier": options["tier"],
        "priority": options["priority"],
        "deadline": options["deadline"],
    }
    built = {
        "image": None if options["image"] is None else image_value(options["image"]),
        "shots": [_shot(text) for text in options["shot"] or ()],
        "loras": [_lora(text) for text in options["lora"] or ()],
        "metadata": dict(_pair(text) for text in options["metadata"] or ()),
        "output": _given(codec=options["codec"], upscale=options["upscale"], interpolate=options["interpolate"]),
    }
    return _given(**plain) | {name: value for name, value in built.items() if value}


def read_prompt(text: str) -> str:
    """The prompt; `-` reads it from stdin."""
    return sys.stdin.read().strip() if text == "-" else text


def image_value(text: str, *, beside: Path | None = None) -> str:
    """What the API takes for an image: URLs and ids as they are, a file as a data URL. Raises CliError.

    `beside`: the folder that relative paths begin at."""
    if text.startswith(("https://", "http://", "data:")):
        return text
    path = Path(text).expanduser() if beside is None else beside / Path(text).expanduser()
    if _UPLOAD_ID.match(text) and not path.exists():
        return text
    try:
        data = path.read_bytes()
    except OSError as error:
        raise usage(f"The image {path} cannot be read: {error.strerror}", hint="check the path of the image") from error
    if len(data) > MAX_INLINE_BYTES:
        message = f"The image {path} has {len(data):,} bytes; {MAX_INLINE_BYTES:,} go into a request"
        raise usage(message, hint="make it smaller, or give an https URL")
    return "data:application/octet-stream;base64," + base64.b64encode(data).decode()


def read_file(path: Path) -> list[Parsed]:
    """The requests of a file, read exactly as the drop folder reads it; images beside it are taken in.

    Raises CliError."""
    from jobs.drop.entries import FileError
    from jobs.drop.parse import MAX_FILE_BYTES, parse_file, too_large

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise too_large(path.stat().st_size)
        entries = parse_file(path.name, path.read_bytes())
    except OSError as error:
        raise usage(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
    except FileError as broken:
        message = f"{path}, line {broken.line}: {broken.error.message}"
        raise CliError(message, Exit.REFUSED, hint=f"correct {path.name}", code=broken.error.code) from broken
    return [_parsed(entry, path.parent) for entry in entries]


def form_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """A CSV row's fields as a form's: texts, and JSON for what is nested."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}


def _parsed(entry: "Entry", folder: Path) -> Parsed:
    from jobs.errors import RequestError

    if isinstance(entry.raw, RequestError):
        return Parsed(entry.line, {}, entry.raw, entry.texts)
    fields = dict(entry.raw)
    image = fields.get("image")
    if isinstance(image, str) and image:
        try:
            fields["image"] = image_value(image, beside=folder)
        except CliError as error:
            return Parsed(entry.line, fields, RequestError(error.message, param="image"), entry.texts)
    return Parsed(entry.line, fields, None, entry.texts)


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
