"""What a character is to be learned from, as it lies on this machine: a folder or zip to an upload, images inline."""

import io
import zipfile
from pathlib import Path
from typing import Any

import httpx

from cli.api import unreachable
from cli.exits import CliError, Exit, usage
from cli.request import image_value
from cli.session import Session

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
TIMEOUT_S = 300.0


def material_of(
    session: Session, source: str, *, images: list[str], video: str | None, description: str | None
) -> dict[str, Any]:
    """The body of a new character: its name, and one of `archive`, `images`, `video`, `description`.

    Raises CliError."""
    path = Path(source).expanduser()
    given = [value for value in (images, video, description) if value]
    if path.exists() and not given:
        try:
            data = _zipped(path) if path.is_dir() else path.read_bytes()
        except OSError as error:
            raise usage(f"{error.filename} cannot be read: {error.strerror}", hint="check the path") from error
        return {"name": path.resolve().stem, "archive": _uploaded(session, data, path.name)}
    if len(given) != 1:
        message = f"{source} is no folder or zip; give one of --image, --video and --describe, or a folder of pictures"
        raise usage(message, hint="revalida characters create --help")
    if images:
        return {"name": source, "images": [image_value(each) for each in images]}
    if description is not None:
        return {"name": source, "description": description}
    assert video is not None  # the only one left
    known = video.startswith("video_") and not Path(video).exists()
    return {"name": source, "video": {"id": video} if known else image_value(video)}


def _zipped(folder: Path) -> bytes:
    """The pictures of a folder and their captions. Raises CliError where there are none."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not pictures:
        raise usage(f"There are no pictures in {folder}", hint="PNG, JPEG and WebP are taken")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for picture in pictures:
            archive.write(picture, picture.name)
            caption = picture.with_suffix(".txt")
            if caption.is_file():
                archive.write(caption, caption.name)
    return packed.getvalue()


def _uploaded(session: Session, data: bytes, filename: str) -> str:
    """The id of an upload of `data`: too large for a request."""
    asked = {"bytes": len(data), "mime_type": "application/zip", "filename": filename[:255]}
    upload = session.api.post("/uploads", asked).body
    try:
        answer = httpx.put(upload["url"], content=data, headers=upload["headers"], timeout=TIMEOUT_S)
    except httpx.TransportError as error:
        raise unreachable("the file store", error) from error
    if answer.is_error:
        raise CliError(f"The file store answered {answer.status_code}", Exit.UNREACHABLE, hint="run this again")
    return str(upload["id"])
