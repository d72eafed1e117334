"""Pictures to learn from: checked, turned upright, freed of what a camera wrote about itself, and no two the same."""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from jobs.errors import RequestError
from jobs.images import MAX_IMAGE_BYTES, ImageFile, ImageReader, check_image_bytes

MAX_ARCHIVE_BYTES = 64 * 2**20
MAX_UNPACKED_BYTES = 128 * 2**20  # of the function's memory
MAX_TRAINED_SIDE = 1536  # pixels; no model is trained at more, and a larger picture only costs
MAX_RATIO = 100  # pictures hardly shrink; what does by so much was made to burst
MAX_ENTRIES = 400
MAX_CAPTION_BYTES = 4_096
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
JPEG_QUALITY = 95
_BESIDE = ("__MACOSX", ".DS_Store", "Thumbs.db")  # what desktops leave in archives


class Picture(NamedTuple):
    """A picture ready to be kept: a file without metadata, the digest of its pixels, what it is called in errors."""

    file: ImageFile
    pixels_sha256: str
    caption: str | None
    label: str


def given_pictures(
    references: Sequence[str], captions: Sequence[str] | None, *, read: ImageReader, owner: str
) -> list[Picture]:
    """The pictures of a request, each named by its place. Raises RequestError naming the one at fault."""
    pictures = []
    for at, reference in enumerate(references):
        label = f"images[{at}]"
        try:
            file = read(reference, owner)
        except RequestError as error:
            raise RequestError(error.message.replace("'image'", f"'{label}'"), param=label, code=error.code) from error
        pictures.append(_picture(file, captions[at] if captions else None, label))
    return pictures


def archived_pictures(data: bytes) -> list[Picture]:
    """The pictures of a zip, in the order of their names; `a.txt` beside `a.jpg` is its caption. Raises RequestError.

    Nothing is written to a disk, and nothing is unpacked beyond the sizes that the limits allow."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = _entries(archive, len(data))
            texts = {
                PurePosixPath(entry.filename).with_suffix("").as_posix(): entry
                for entry in entries
                if entry.filename.lower().endswith(".txt")
            }
            return [_unpacked(archive, entry, texts) for entry in entries if _is_picture(entry)]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise _refused("it is not a whole zip file without a password", "invalid_archive") from error


def check_distinct(pictures: Sequence[Picture]) -> None:
    """Raises RequestError for two pictures with the same pixels, whatever their files."""
    seen: dict[str, str] = {}
    for picture in pictures:
        twin = seen.setdefault(picture.pixels_sha256, picture.label)
        if twin != picture.label:
            message = f"{picture.label} is the same picture as {twin}; give each one once."
            raise RequestError(message, param=picture.label, code="duplicate_image")


def _entries(archive: zipfile.ZipFile, packed_bytes: int) -> list[zipfile.ZipInfo]:
    entries = [each for each in archive.infolist() if not each.is_dir() and not _is_beside(each)]
    if len(entries) > MAX_ENTRIES:
        raise _refused(f"it has {len(entries)} files; the limit is {MAX_ENTRIES}", "archive_too_large")
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if ".." in parts or entry.filename.startswith(("/", "\\")) or not entry.filename.isprintable():
            name = "".join(c if c.isprintable() else "?" for c in entry.filename[:80])
            raise _refused(f"'{name}' leads out of the archive", "invalid_archive")
        known = _is_picture(entry) or entry.filename.lower().endswith(".txt")
        if not known:
            raise _refused(f"'{entry.filename[:80]}' is neither a picture nor a caption (.txt)", "invalid_archive")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > min(MAX_UNPACKED_BYTES, MAX_RATIO * packed_bytes):
        raise _refused(f"{packed_bytes} bytes would unpack to {unpacked}", "archive_too_large")
    return sorted(entries, key=lambda entry: entry.filename)


def _is_beside(entry: zipfile.ZipInfo) -> bool:
    return any(part in _BESIDE for part in PurePosixPath(entry.filename).parts)


def _is_picture(entry: zipfile.ZipInfo) -> bool:
    return PurePosixPath(entry.filename.lower()).suffix in PICTURE_SUFFIXES


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, texts: dict[str, zipfile.ZipInfo]) -> Picture:
    label = entry.filename[:80]
    try:
        file = check_image_bytes(_read(archive, entry, MAX_IMAGE_BYTES))
    except RequestError as error:
        raise RequestError(f"{label}: {error.message}", param="archive", code=error.code) from error
    text = texts.get(PurePosixPath(entry.filename).with_suffix("").as_posix())
    caption = None if text is None else _caption(_read(archive, text, MAX_CAPTION_BYTES), text.filename)
    return _picture(file, caption, label)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """What a file holds; the size that its header announces is not believed."""
    with archive.open(entry) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _refused(f"'{entry.filename[:80]}' has more than {limit} bytes", "archive_too_large")
    return data


def _caption(data: bytes, name: str) -> str | None:
    try:
        return " ".join(data.decode("utf-8-sig").split())[:800] or None
    except UnicodeDecodeError as error:
        raise _refused(f"'{name[:80]}' is not UTF-8 text", "invalid_archive") from error


def _refused(reason: str, code: str) -> RequestError:
    return RequestError(f"Invalid 'archive': {reason}.", param="archive", code=code)


def _picture(file: ImageFile, caption: str | None, label: str) -> Picture:
    """The picture, no larger than it is of use, without EXIF (the place, the camera), XMP or comments; it is upright
    already."""
    from PIL import Image

    with Image.open(io.BytesIO(file.data)) as image:
        pixels = image.convert("RGB")
    pixels.thumbnail((MAX_TRAINED_SIDE, MAX_TRAINED_SIDE))
    bare = io.BytesIO()
    if file.extension == "jpg":
        pixels.save(bare, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        pixels.save(bare, "PNG")
    kept = ImageFile(bare.getvalue(), "jpg" if file.extension == "jpg" else "png", pixels.width, pixels.height)
    digest = hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes()).hexdigest()
    return Picture(kept, digest, caption, label)


def frames_evenly(total: int, wanted: int) -> Iterator[int]:
    """Which of `total` frames to take so that `wanted` are spread over all; every one where there are fewer."""
    count = min(total, wanted)
    return (round((at + 0.5) * total / count - 0.5) for at in range(count))
