"""Takes characters in: checks what they are to be learned from, keeps it, writes the record."""

from dataclasses import dataclass

from jobs import clock, idempotency
from jobs.character import MAX_SECONDS, MIN_SECONDS, MIN_SIDE, Character, CharacterBody
from jobs.character_store import CharacterStore
from jobs.errors import CharacterNotFound, IdempotencyConflict, RequestError
from jobs.ids import is_job_id, new_character_id
from jobs.images import ImageFile, Images
from jobs.mp4 import read_movie
from jobs.request import VideoReference
from jobs.source_video import SourceVideos
from jobs.states import State
from jobs.store import JobStore
from jobs.validation import spec_of


@dataclass(frozen=True, kw_only=True)
class Casting:
    """Makes characters. Nothing of a refused one is kept."""

    store: CharacterStore
    jobs: JobStore
    images: Images
    videos: SourceVideos
    default_model: str

    def create(
        self, body: CharacterBody, *, owner: str, idempotency_key: str | None = None, is_retry: bool = False
    ) -> Character:
        """A new character, `queued`, or the one that the same request made before (see `jobs.submit`).

        Raises RequestError, IdempotencyConflict, and JobNotFound for a video that is not the owner's."""
        given = idempotency.checked(idempotency_key)
        fingerprint = idempotency.character_fingerprint(body)
        name = idempotency.retry_key(fingerprint) if given is None else given
        known = self._known(owner, name, fingerprint) if given is not None or is_retry else None
        if known is not None:
            return known
        character = self._new(body, owner)
        lifetime_s = idempotency.RETRY_WINDOW_S if given is None else idempotency.KEY_LIFETIME_S
        record = idempotency.record_item(
            owner, name, job_id=character.id, fingerprint=fingerprint, expires_at=character.created_at + lifetime_s
        )
        if self.store.create(character, idempotency=record, unique=given is not None):
            return character
        winner = self._known(owner, name, fingerprint)
        if winner is None:
            raise RequestError("The same request is being accepted already; try again.", code="request_in_progress")
        return winner

    def _known(self, owner: str, name: str, fingerprint: str) -> Character | None:
        record = self.jobs.find_idempotency(owner, name)
        if record is None:
            return None
        if record.fingerprint != fingerprint:
            raise IdempotencyConflict("This idempotency key was used with a different request.")
        try:
            return self.store.get(record.job_id, owner=owner)
        except CharacterNotFound as gone:
            if name == idempotency.retry_key(fingerprint):  # made by the first try and deleted since: a new wish
                return None
            message = f"The character that this idempotency key made, '{record.job_id}', has been deleted."
            raise RequestError(message, param="Idempotency-Key", code="character_deleted") from gone

    def _new(self, body: CharacterBody, owner: str) -> Character:
        spec = spec_of(self.default_model if body.model is None else body.model)
        if not spec.supports_lora:
            message = f"{spec.id} takes no LoRAs, and so no characters."
            raise RequestError(message, param="model", code="loras_not_supported")
        images = tuple(self._image(each, owner) for each in body.images or ())
        video = None if body.video is None else self._video(body.video, owner)
        now = clock.now()
        return Character(
            id=new_character_id(),
            owner=owner,
            name=body.name,
            model=spec.id,
            created_at=now,
            updated_at=now,
            images=tuple(self.images.keep(image) for image in images),
            video=video,
        )

    def _image(self, reference: str, owner: str) -> ImageFile:
        image = self.images.read(reference, owner)
        if min(image.width, image.height) < MIN_SIDE:
            raise _too_small("images", image.width, image.height)
        return image

    def _video(self, given: VideoReference | str, owner: str) -> str:
        reference = given.id if isinstance(given, VideoReference) else given
        if is_job_id(reference):
            job = self.jobs.get(reference, owner=owner)
            if job.status is not State.COMPLETED:
                message = f"The video is not completed: its status is '{job.status}'."
                raise RequestError(message, param="video", code="video_not_completed")
            source = self.videos.finished(job)
            _check_video(source.size.width, source.size.height, source.num_frames / source.fps)
            source.keep()
            return source.key
        data = self.videos.read(reference, owner=owner)
        movie = read_movie(data, param="video")
        _check_video(movie.width, movie.height, movie.seconds)
        return self.videos.keep(data, movie)


def _check_video(width: int, height: int, seconds: float) -> None:
    if min(width, height) < MIN_SIDE:
        raise _too_small("video", width, height)
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        message = f"Invalid 'video': {seconds:.1f} s; a character is learned from {MIN_SECONDS:g} to {MAX_SECONDS:g} s."
        raise RequestError(message, param="video", code="invalid_video_length")


def _too_small(param: str, width: int, height: int) -> RequestError:
    message = f"Invalid '{param}': {width}x{height} pixels; both sides need at least {MIN_SIDE}."
    return RequestError(message, param=param, code="too_small")
