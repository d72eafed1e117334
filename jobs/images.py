"""Input images: taken in once, at acceptance, so that a job never depends on what a caller's URL says later."""

import base64
import binascii
import hashlib
import io
import re
from typing import NamedTuple, Protocol

from jobs import aws, s3_keys
from jobs.errors import RequestError

MAX_IMAGE_PIXELS = 50_000_000  # 8K is 33 million; more is a decompression bomb
FORMATS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_DATA_URL = re.compile(r"^data:(?P<type>[A-Za-z0-9.+/-]{0,60});base64,(?P<data>.*)$", re.DOTALL)


class ImageFile(NamedTuple):
    """A checked image: its bytes, `png`, `jpg` or `webp`, and its size in pixels."""

    data: bytes
    extension: str
    width: int
    height: int


class ImageSink(Protocol):
    """Keeps an image and returns its key in the media bucket."""

    def __call__(self, image: ImageFile) -> str: ...


def read_image(reference: str) -> ImageFile:
    """The image that a request names, as a data URL. Raises RequestError: wrong form, no image, too large."""
    match = _DATA_URL.match(reference)
    if match is None:
        message = "Invalid 'image': must be a data URL, 'data:image/png;base64,...', or a file in a multipart form."
        raise RequestError(message, param="image", code="invalid_image")
    try:
        data = base64.b64decode(match["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError("Invalid 'image': not base64.", param="image", code="invalid_image") from error
    return check_image_bytes(data)


def check_image_bytes(data: bytes) -> ImageFile:
    """Check by content, whatever the caller calls it: PNG, JPEG or WebP, whole, of a sane size. Raises RequestError."""
    from PIL import Image, UnidentifiedImageError  # only requests with an image pay for it

    try:
        with Image.open(io.BytesIO(data), formats=list(FORMATS)) as image:
            width, height, kind = image.width, image.height, image.format or ""
            if width * height > MAX_IMAGE_PIXELS:
                message = f"Invalid 'image': {width}x{height} pixels; the limit is {MAX_IMAGE_PIXELS} pixels in all."
                raise RequestError(message, param="image", code="image_too_large")
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        message = "Invalid 'image': not a whole PNG, JPEG or WebP image."
        raise RequestError(message, param="image", code="invalid_image") from error
    return ImageFile(data, FORMATS[kind], width, height)


class MediaBucket:
    """Keeps images in the media bucket, by content: the same image twice is one object."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    def __call__(self, image: ImageFile) -> str:
        key = s3_keys.input_image(hashlib.sha256(image.data).hexdigest(), image.extension)
        kind = "jpeg" if image.extension == "jpg" else image.extension
        aws.s3().put_object(Bucket=self.bucket, Key=key, Body=image.data, ContentType=f"image/{kind}")
        return key
