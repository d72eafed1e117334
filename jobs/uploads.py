"""Uploads of inputs that are too large for the API: a URL that takes one file of the announced size."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs import aws, clock, s3_keys
from jobs.errors import RequestError
from jobs.ids import new_upload_id
from jobs.images import MAX_IMAGE_BYTES
from jobs.source_video import MAX_VIDEO_BYTES

URL_LIFETIME_S = 3600
ContentType = Literal["image/png", "image/jpeg", "image/webp", "video/mp4", "video/quicktime", "application/zip"]


class UploadBody(BaseModel):
    """The body of `POST /v1/uploads`, by the fields of the openai SDK's `uploads.create`.

    `content_type` is another name of `mime_type`, `bytes` the exact size of the file. What the file is gets found out
    by its content once a request uses it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    bytes: Annotated[int, Field(gt=0, le=MAX_VIDEO_BYTES)]
    mime_type: ContentType | None = None
    content_type: ContentType | None = None
    filename: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    purpose: Annotated[str, Field(max_length=64)] = "vision"

    @model_validator(mode="after")
    def _one_type(self) -> "UploadBody":
        if (self.mime_type is None) == (self.content_type is None):
            raise ValueError("give either 'mime_type' or 'content_type'")
        return self

    @property
    def kind(self) -> str:
        """The media type."""
        return self.mime_type or self.content_type or ""


class UploadView(BaseModel):
    """OpenAI's upload object, and where the file goes: `method` it to `url` with these `headers` before `expires_at`.

    Then `id` stands for the file: as `image`, as `input_reference.file_id`, as `video`, in a character."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    object: Literal["upload"] = "upload"
    status: Literal["pending"] = "pending"
    bytes: int
    filename: str | None
    purpose: str
    created_at: int
    expires_at: int
    method: Literal["PUT"] = "PUT"
    url: str
    headers: dict[str, str]


def open_upload(body: UploadBody, *, owner: str, bucket: str) -> UploadView:
    """A URL for one file, for an hour. S3 itself refuses another size or type: both are part of the signature.

    Raises RequestError for an image larger than any request takes."""
    if body.kind.startswith("image/") and body.bytes > MAX_IMAGE_BYTES:
        message = f"Invalid 'bytes': an image may have {MAX_IMAGE_BYTES} bytes."
        raise RequestError(message, param="bytes", code="image_too_large")
    upload_id, now = new_upload_id(), int(clock.now())
    url = aws.s3().generate_presigned_url(
        "put_object",
        Params={
            "Bucket": bucket,
            "Key": s3_keys.upload(owner, upload_id),
            "ContentType": body.kind,
            "ContentLength": body.bytes,
        },
        ExpiresIn=URL_LIFETIME_S,
    )
    return UploadView(
        id=upload_id,
        bytes=body.bytes,
        filename=body.filename,
        purpose=body.purpose,
        created_at=now,
        expires_at=now + URL_LIFETIME_S,
        url=url,
        headers={"Content-Type": body.kind, "Content-Length": str(body.bytes)},
    )
