"""Input images: taken in once, at acceptance, so that a job never depends on what a caller's URL says later."""

import base64
import binascii
import io
import re
import struct
from typing import TYPE_CHECKING, NamedTuple, Protocol

from jobs import addresses
from jobs.errors import RequestError
from jobs.ids import UPLOAD_PREFIX
from jobs.media import MediaBucket

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MAX_IMAGE_BYTES = 32 * 2**20  # what the function's memory holds beside the decoded pixels
MAX_IMAGE_PIXELS = 50_000_000  # 8K is 33 million; more is a decompression bomb
FETCH_TIMEOUT_S = 10.0  # of the 29 s that the API's function has
FORMATS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = 1
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, struct.error)  # what Pillow raises at bad files
_DATA_URL = re.compile(r"^data:(?P<type>[A-Za-z0-9.+/-]{0,60});base64,(?P<data>.*)$", re.DOTALL)


class ImageFile(NamedTuple):
    """A checked image: its bytes, `png`, `jpg` or `webp`, and its size in pixels."""

    data: bytes
    extension: str
    width: int
    height: int


class ImageReader(Protocol):
    """Gets the image that `owner` refers to. Raises RequestError."""

    def __call__(self, reference: str, owner: str) -> ImageFile: ...


class ImageSink(Protocol):
    """Keeps an image and returns its key in the media bucket."""

    def __call__(self, image: ImageFile) -> str: ...


class Images:
    """Input images by data URL, upload id or https URL; kept in the media bucket for one job each."""

    def __init__(self, media: MediaBucket, gate: addresses.Gate = addresses.PUBLIC) -> None:
        self._media = media
        self._gate = gate

    def read(self, reference: str, owner: str) -> ImageFile:
        """Raises RequestError: wrong form, an address that must not be reached, no image, too large."""
        if reference.startswith(UPLOAD_PREFIX):
            data = self._media.uploaded(reference, owner=owner, max_bytes=MAX_IMAGE_BYTES, param="image")
        elif reference.lower().startswith(("https:", "http:")):
            data = self._fetched(reference)
        else:
            data = data_url_bytes(reference, param="image")
        return check_image_bytes(data)

    def keep(self, image: ImageFile) -> str:
        """Store it. Returns its key."""
        kind = "jpeg" if image.extension == "jpg" else image.extension
        key, keep = self._media.file(image.data, image.extension, f"image/{kind}")
        keep()
        return key

    def _fetched(self, url: str) -> bytes:
        try:
            fetched = self._gate.fetch(url, max_bytes=MAX_IMAGE_BYTES, timeout_s=FETCH_TIMEOUT_S)
        except addresses.TooLarge as error:
            raise RequestError(f"Invalid 'image'. {error}", param="image", code="image_too_large") from error
        except addresses.FetchError as error:
            raise RequestError(f"Invalid 'image'. {error}", param="image", code="image_not_fetched") from error
        if fetched.status != 200:
            message = f"Invalid 'image': its URL answered with status {fetched.status}."
            raise RequestError(message, param="image", code="image_not_fetched")
        return fetched.body


def data_url_bytes(reference: str, *, param: str) -> bytes:
    """What a data URL holds; its type is found out by content later. Raises RequestError."""
    match = _DATA_URL.match(reference)
    if match is None:
        message = (
            f"Invalid '{param}': give an upload id, a data URL ('data:...;base64,...'), or a file in a multipart form"
            f"{', or an https URL' if param == 'image' else ''}."
        )
        raise RequestError(message, param=param, code=f"invalid_{param}")
    try:
        return base64.b64decode(match["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"Invalid '{param}': not base64.", param=param, code=f"invalid_{param}") from error


def check_image_bytes(data: bytes) -> ImageFile:
    """Check by content, whatever the caller calls it: PNG, JPEG or WebP, whole, of a sane size. Raises RequestError.

    An image that its EXIF data turns is turned, and is a PNG then: models read pixels only. What EXIF data says in a
    way that cannot be read turns nothing."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # only requests with an image pay for it

    try:
        with Image.open(io.BytesIO(data), formats=list(FORMATS)) as image:
            width, height, kind = image.width, image.height, image.format or ""
            if width * height > MAX_IMAGE_PIXELS:
                message = f"Invalid 'image': {width}x{height} pixels; the limit is {MAX_IMAGE_PIXELS} pixels in all."
                raise RequestError(message, param="image", code="image_too_large")
            image.load()
            if _orientation(image) != _UPRIGHT:
                # As it turns, Pillow writes the other tags anew, and fails at one of a wrong type. None is kept here.
                image.info.clear()
                upright = ImageOps.exif_transpose(image)
                file = io.BytesIO()
                upright.convert("RGB").save(file, "PNG")
                return ImageFile(file.getvalue(), "png", upright.width, upright.height)
    except (UnidentifiedImageError, *_PILLOW_ERRORS, Image.DecompressionBombError) as error:
        message = "Invalid 'image': not a whole PNG, JPEG or WebP image."
        raise RequestError(message, param="image", code="invalid_image") from error
    return ImageFile(data, FORMATS[kind], width, height)


def _orientation(image: "PillowImage") -> object:
    """As EXIF has it; None if that cannot be read."""
    try:
        return image.getexif().get(_EXIF_ORIENTATION, _UPRIGHT)
    except _PILLOW_ERRORS:
        return None
