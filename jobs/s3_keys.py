"""The one place that builds keys in the media bucket (layout: DESIGN.md)."""

import hashlib
from typing import Literal

from jobs.ids import INPUT_PREFIX
from jobs.request import Codec, VideoRequest

INBOX = "inbox/"
OUTBOX = "outbox/"
WEIGHTS = "weights/"
MAX_KEY_BYTES = 1024  # S3's limit on a key, in UTF-8 bytes

Asset = Literal["video", "thumbnail", "spritesheet"]
ASSETS: tuple[Asset, ...] = ("video", "thumbnail", "spritesheet")
CONTENT_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime", ".jpg": "image/jpeg"}


def job_prefix(job_id: str) -> str:
    """Everything that a job's attempts have written."""
    return f"videos/{job_id}/"


def asset_file(variant: Asset, codec: Codec = "h264") -> str:
    """The name of a finished file: stills are JPEGs, ProRes comes in a MOV, all else in an MP4."""
    if variant != "video":
        return f"{variant}.jpg"
    return "video.mov" if codec == "prores" else "video.mp4"


def asset(job_id: str, attempt: int, variant: Asset, codec: Codec = "h264") -> str:
    """The key of one finished file of one attempt."""
    return f"videos/{job_id}/{attempt}/{asset_file(variant, codec)}"


def checkpoint_prefix(job_id: str) -> str:
    """All checkpoints of a job."""
    return f"checkpoints/{job_id}/"


def checkpoint(job_id: str, step: int) -> str:
    """The checkpoint taken after denoise step `step` (1-based; zero-padded so that keys sort by step)."""
    return f"checkpoints/{job_id}/{step:06d}.safetensors"


def input_file(input_id: str, extension: str) -> str:
    """The image or video that one job is made from. Its own, not shared: it goes when the job goes."""
    return f"inputs/{input_id}.{extension}"


def is_own_input(key: str) -> bool:
    """Whether it was kept for one job. Earlier releases named inputs by content, and several jobs may share those."""
    return key.startswith(f"inputs/{INPUT_PREFIX}")


def own_inputs(request: VideoRequest) -> list[str]:
    """What a job is made from, as far as it was kept for that job alone."""
    keys = [request.image, None if request.video is None else request.video.key]
    return [key for key in keys if key is not None and is_own_input(key)]


def upload(owner: str, upload_id: str) -> str:
    """What an owner uploaded: nobody else's id leads there."""
    return f"uploads/{hashlib.sha256(owner.encode()).hexdigest()[:32]}/{upload_id}"


def lora(name: str) -> str:
    """A LoRA of the operator's, by name."""
    return f"loras/{name}.safetensors"


def lora_of_expert(name: str, expert: str) -> str:
    """One expert's half of an operator's LoRA: those for models of two experts come as two files."""
    return f"loras/{name}.{expert}.safetensors"


def character_lora(name: str, expert: str, layout: Literal["diffusers", "comfyui"] = "diffusers") -> str:
    """What was learned of a character for one expert; `name` is that of its version."""
    return f"loras/{name}.{expert}.{layout}.safetensors"


def character_prefix(character_id: str) -> str:
    """The LoRAs of all versions of a character."""
    return f"loras/{character_id}."


def reference(character_id: str, sha256: str, extension: str) -> str:
    """A picture that a character is learned from. Its own, not shared: it goes when the character goes."""
    return f"characters/{character_id}/{sha256}.{extension}"


def references_prefix(character_id: str) -> str:
    """Everything that a character is learned from."""
    return f"characters/{character_id}/"


def training_file(job_id: str, attempt: int, name: str) -> str:
    """What an attempt tells of its training: `losses.json`, `sample-000100.jpg`."""
    return f"videos/{job_id}/{attempt}/training/{name}"


def is_training_file(key: str) -> bool:
    """Whether an attempt told that of its training."""
    return key.startswith("videos/") and key.split("/")[3:4] == ["training"]


def model_of_manifest(key: str) -> str | None:
    """The model whose weights are whole where this key is: `weights/<model>/<revision>/manifest.json`."""
    parts = key.removeprefix(WEIGHTS).split("/")
    return parts[0] if key.startswith(WEIGHTS) and len(parts) == 3 and parts[2] == "manifest.json" else None


def outbox_base(inbox_key: str) -> str:
    """`inbox/a/b.txt` -> `outbox/a/b.txt`; receipts, videos and results are this plus a suffix.

    Raises ValueError if the key is not below the inbox."""
    if not inbox_key.startswith(INBOX) or inbox_key == INBOX:
        raise ValueError(f"not below {INBOX}: {inbox_key!r}")
    return OUTBOX + inbox_key.removeprefix(INBOX)


def receipt(inbox_key: str) -> str:
    """The receipt of a dropped file."""
    return f"{outbox_base(inbox_key)}.receipt.json"


def rejected_receipt(identity: str) -> str:
    """The receipt of a file whose path has no counterpart below `outbox/`."""
    return f"{OUTBOX}rejected/{identity}.receipt.json"


def outbox_result(inbox_key: str, line: int, nth: int, extension: str) -> str:
    """Video, thumbnail or result file (the job as the API shows it) of the prompt on `line` of a dropped file.

    `nth` tells apart the requests that begin on one line: the second one's video is `<file name>.<line>-2.mp4`."""
    place = f"{line}" if nth == 1 else f"{line}-{nth}"
    return f"{outbox_base(inbox_key)}.{place}.{extension}"
