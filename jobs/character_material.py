"""What a character is learned from: taken in from a request, checked as a whole, stored as the character's own."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from jobs import aws, s3_keys
from jobs.character import MAX_IMAGES, MAX_SECONDS, MIN_IMAGES, MIN_SECONDS, MIN_SIDE, VIDEO_FRAMES, CharacterBody
from jobs.errors import RequestError
from jobs.ids import UPLOAD_PREFIX, is_job_id
from jobs.images import Images, data_url_bytes
from jobs.job import Job
from jobs.media import MediaBucket
from jobs.mp4 import read_movie
from jobs.pictures import MAX_ARCHIVE_BYTES, Picture, archived_pictures, check_distinct, given_pictures
from jobs.request import VideoReference
from jobs.source_video import SourceVideos
from jobs.states import State
from jobs.store import JobStore
from jobs.training import TrainingReference

Keep = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Material:
    """Reads pictures and videos; every method returns the references and the call that stores them."""

    media: MediaBucket
    images: Images
    videos: SourceVideos
    jobs: JobStore

    def of(self, character_id: str, body: CharacterBody, owner: str) -> tuple[Keep, tuple[TrainingReference, ...]]:
        """What the character is learned from, and the call that stores it. Raises RequestError, JobNotFound."""
        if body.video is not None:
            return self._video(character_id, body.video, owner)
        if body.archive is not None:
            pictures = archived_pictures(self._archive(body.archive, owner))
        else:
            pictures = given_pictures(body.images or (), body.captions, read=self.images.read, owner=owner)
        check_distinct(pictures)
        param = "archive" if body.archive is not None else "images"
        if len(pictures) < MIN_IMAGES:
            raise too_few(len(pictures), param=param)
        if len(pictures) > MAX_IMAGES:
            message = f"Invalid '{param}': {len(pictures)} pictures; at most {MAX_IMAGES}."
            raise RequestError(message, param=param, code="too_many_images")
        for picture in pictures:
            if min(picture.file.width, picture.file.height) < MIN_SIDE:
                raise _too_small(param, picture.label, picture.file.width, picture.file.height)
        kept = [(picture, self._reference(character_id, picture)) for picture in pictures]

        def keep() -> None:
            for picture, reference in kept:
                kind = "jpeg" if picture.file.extension == "jpg" else "png"
                aws.s3().put_object(
                    Bucket=self.media.bucket, Key=reference.key, Body=picture.file.data, ContentType=f"image/{kind}"
                )

        return keep, tuple(reference for _, reference in kept)

    def _reference(self, character_id: str, picture: Picture) -> TrainingReference:
        sha256 = hashlib.sha256(picture.file.data).hexdigest()
        key = s3_keys.reference(character_id, sha256, picture.file.extension)
        return TrainingReference(key=key, sha256=sha256, caption=picture.caption)

    def _archive(self, reference: str, owner: str) -> bytes:
        if reference.startswith(UPLOAD_PREFIX):
            return self.media.uploaded(reference, owner=owner, max_bytes=MAX_ARCHIVE_BYTES, param="archive")
        return data_url_bytes(reference, param="archive")

    def _video(
        self, character_id: str, given: VideoReference | str, owner: str
    ) -> tuple[Keep, tuple[TrainingReference, ...]]:
        reference = given.id if isinstance(given, VideoReference) else given
        if is_job_id(reference):
            job = self.jobs.get(reference, owner=owner)
            if job.status is not State.COMPLETED or job.outputs is None:
                message = f"The video is not completed: its status is '{job.status}'."
                raise RequestError(message, param="video", code="video_not_completed")
            source = self.videos.finished(job)
            _check_video(source.size.width, source.size.height, source.num_frames / source.fps)
            return self.copied(character_id, job, VIDEO_FRAMES)
        data = self.videos.read(reference, owner=owner)
        movie = read_movie(data, param="video")
        _check_video(movie.width, movie.height, movie.seconds)
        sha256 = hashlib.sha256(data).hexdigest()
        key = s3_keys.reference(character_id, sha256, "mov" if movie.quicktime else "mp4")

        def keep() -> None:
            aws.s3().put_object(Bucket=self.media.bucket, Key=key, Body=data)

        return keep, (TrainingReference(key=key, sha256=sha256, frames=VIDEO_FRAMES),)

    def copied(
        self, character_id: str, job: Job, frames: int, caption: str | None = None
    ) -> tuple[Keep, tuple[TrainingReference, ...]]:
        """A finished video as the character's own copy, which outlives the job's files. Named by what made it."""
        assert job.outputs is not None  # it is completed
        original = job.outputs.video
        sha256 = hashlib.sha256(original.encode()).hexdigest()
        key = s3_keys.reference(character_id, sha256, original.rpartition(".")[2])
        reference = TrainingReference(key=key, sha256=sha256, frames=frames, caption=caption)
        return (lambda: self.media.copy(original, key)), (reference,)


def _check_video(width: int, height: int, seconds: float) -> None:
    if min(width, height) < MIN_SIDE:
        raise _too_small("video", "it", width, height)
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        message = f"Invalid 'video': {seconds:.1f} s; a character is learned from {MIN_SECONDS:g} to {MAX_SECONDS:g} s."
        raise RequestError(message, param="video", code="invalid_video_length")


def _too_small(param: str, what: str, width: int, height: int) -> RequestError:
    message = f"Invalid '{param}': {what} has {width}x{height} pixels; both sides need at least {MIN_SIDE}."
    return RequestError(message, param=param, code="too_small")


def too_few(count: int, *, param: str) -> RequestError:
    """The error for fewer pictures than anything can be learned from."""
    message = f"A character is learned from {MIN_IMAGES} to {MAX_IMAGES} pictures; '{param}' has {count}."
    return RequestError(message, param=param, code="too_few_images")
