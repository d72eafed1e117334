"""Characters' way in and out: taken in, reviewed, trained in one version after the other, deleted."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs import clock, idempotency, s3_keys
from jobs.assets import delete_assets, delete_below
from jobs.character import MIN_IMAGES, Candidate, Character, CharacterBody, Review, Version, default_trigger
from jobs.character_material import Material, too_few
from jobs.character_store import CharacterStore
from jobs.drop.results import withdraw
from jobs.errors import CharacterNotFound, IdempotencyConflict, JobNotFound, RequestError
from jobs.ids import is_job_id, new_character_id
from jobs.job import Job, Source
from jobs.request import RequestBody
from jobs.states import State, is_terminal
from jobs.submit import Submitter
from jobs.training import TrainingBody, TrainingPlan, TrainingReference, lora_name, settings_of
from jobs.validation import spec_of
from models.catalog import ModelSpec

if TYPE_CHECKING:
    from jobs.keys import ApiKey

DEFAULT_NUM_IMAGES = 30
_API = Source(door="api")


@dataclass(frozen=True, kw_only=True)
class Casting:
    """Makes characters and trains them. Nothing of a refused one is kept."""

    store: CharacterStore
    submitter: Submitter
    material: Material
    default_model: str
    now: Callable[[], float] = clock.now

    @property
    def bucket(self) -> str:
        return self.material.media.bucket

    def create(
        self,
        body: CharacterBody,
        *,
        owner: str,
        payer: "ApiKey | None" = None,
        source: Source = _API,
        idempotency_key: str | None = None,
        is_retry: bool = False,
    ) -> Character:
        """A new character whose first training is queued, or, by `description`, whose pictures are being generated; or
        the one that the same request made before (see `jobs.submit`).

        Raises RequestError, IdempotencyConflict, LimitReached, and JobNotFound for a video that is not the owner's."""
        given = idempotency.checked(idempotency_key)
        fingerprint = idempotency.character_fingerprint(body)
        name = idempotency.retry_key(fingerprint) if given is None else given
        known = self._known(owner, name, fingerprint) if given is not None or is_retry else None
        if known is not None:
            return known
        made = self._new(body, owner, payer, source)
        lifetime_s = idempotency.RETRY_WINDOW_S if given is None else idempotency.KEY_LIFETIME_S
        record = idempotency.record_item(
            owner, name, job_id=made.id, fingerprint=fingerprint, expires_at=made.created_at + lifetime_s
        )
        if self.store.create(made, idempotency=record, unique=given is not None):
            return made
        self._erase(made)  # another delivery of the same request was faster
        winner = self._known(owner, name, fingerprint)
        if winner is None:
            raise RequestError("The same request is being accepted already; try again.", code="request_in_progress")
        return winner

    def _known(self, owner: str, name: str, fingerprint: str) -> Character | None:
        record = self.submitter.store.find_idempotency(owner, name)
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

    def _new(self, body: CharacterBody, owner: str, payer: "ApiKey | None", source: Source) -> Character:
        """The record of a new character, whose jobs and material are there already: a refused one leaves neither."""
        spec = self._trainable(self.default_model if body.model is None else body.model)
        now = self.now()
        character = Character(
            id=new_character_id(),
            owner=owner,
            name=body.name,
            trigger=body.trigger or default_trigger(body.name),
            model=spec.id,
            created_at=now,
            updated_at=now,
            description=body.description,
            training=body.training,
        )
        if body.description is not None:
            return self._draft(character, body.num_images or DEFAULT_NUM_IMAGES, payer)
        keep, references = self.material.of(character.id, body, owner)
        character = character.model_copy(update={"references": references})
        # The training is judged before anything is stored; its record then comes with its material.
        body_of_sample, plan = self._plan(character, body.training)
        keep()
        try:
            return self._with_version(character, self._queued(character, body_of_sample, plan, payer, source))
        except BaseException:
            delete_below(self.bucket, s3_keys.references_prefix(character.id))
            raise

    def train(self, character_id: str, body: TrainingBody, *, owner: str, payer: "ApiKey | None" = None) -> Character:
        """Begin the next version, by the settings of the last one where `body` says nothing. Raises RequestError,
        LimitReached, CharacterNotFound."""
        character = self.store.get(character_id, owner=owner)
        if character.newest is not None and not self._ended(character.newest):
            raise RequestError("The character is being trained already; cancel that first.", code="training_under_way")
        given = body.model_dump(exclude_none=True)
        asked = TrainingBody.model_validate({**character.training.model_dump(exclude_none=True), **given})
        character = character.model_copy(update={"training": asked})
        if character.candidates:
            character = character.model_copy(update={"references": self._accepted_pictures(character)})
        if len(character.references) < MIN_IMAGES and not any(each.frames > 1 for each in character.references):
            raise too_few(len(character.references), param="accept")
        return self._begin(character, *self._plan(character, asked), payer, _API)

    def renew(self, character_id: str, body: CharacterBody, *, owner: str, source: Source) -> Character:
        """The next version of a character, from other pictures; or the one under way, if it learns the very same.
        Trainings of earlier versions end once there is one in their place: what is refused costs no work.

        Raises RequestError, LimitReached, CharacterNotFound."""
        character = self.store.get(character_id, owner=owner)
        _check_same(character, body)
        keep, references = self.material.of(character.id, body, owner)
        asked = {"name": body.name, "references": references, "training": body.training}
        character = character.model_copy(update=asked)
        sample, plan = self._plan(character, body.training)
        # Who died before the answer was told asks again, and must not begin a third training of the same.
        if not self._is_under_way(character, plan):
            keep()
            character = self._begin(character, sample, plan, None, source)
        self._end_earlier(character)
        return character

    def _is_under_way(self, character: Character, plan: TrainingPlan) -> bool:
        """Whether the newest version is being trained by this very plan, its number aside."""
        if character.newest is None:
            return False
        try:
            job = self.submitter.store.get(character.newest.job_id)
        except JobNotFound:
            return False
        same_number = plan.model_copy(update={"version": character.newest.number})
        same_number = same_number.model_copy(update={"lora": lora_name(character.id, character.newest.number)})
        return not is_terminal(job.status) and not job.cancel_requested and job.training == same_number

    def _end_earlier(self, character: Character) -> None:
        """Cancel what is still trained of all versions but the newest: a renewal may have died before it did so."""
        for version in character.versions[:-1]:
            if self._ended(version):
                continue
            try:
                self.submitter.store.cancel(version.job_id, owner=character.owner)
            except JobNotFound:  # deleted since it was looked at
                continue

    def cancel(self, character_id: str, *, owner: str) -> Character:
        """Stop the training under way, and what is being generated for it. Raises RequestError where nothing is."""
        character = self.store.get(character_id, owner=owner)
        running = [job for job in self._jobs(character) if not is_terminal(job.status)]
        if not running:
            raise RequestError("Nothing of this character is under way.", code="not_cancellable")
        for job in running:
            self.submitter.store.cancel(job.id, owner=owner)
        return character

    def delete(self, character_id: str, *, owner: str) -> Character:
        """Forget a character with all that was made from it but for the videos of its owner's own requests: pictures,
        trainings under way, checkpoints, samples, LoRAs, generated candidates."""
        character = self.store.delete(character_id, owner=owner)
        self._erase(character)
        return character

    def _erase(self, character: Character) -> None:
        for job in self._jobs(character):
            # The record first: an attempt under way loses its fence, and writes nothing more.
            try:
                self.submitter.store.delete(job.id, owner=character.owner)
            except JobNotFound:
                continue
            delete_assets(self.bucket, job.id)
            withdraw(job)
        delete_below(self.bucket, s3_keys.references_prefix(character.id))
        delete_below(self.bucket, s3_keys.character_prefix(character.id))

    def review(self, character_id: str, *, accept: list[str], reject: list[str], owner: str) -> Character:
        """Say which generated pictures are to be learned from; a picture's id is that of the job that made it.

        Raises RequestError for one that is not this character's or not there yet."""

        def move(character: Character) -> Character:
            known = {each.job_id for each in character.candidates}
            for param, ids in (("accept", accept), ("reject", reject)):
                for at, job_id in enumerate(ids):
                    if job_id not in known:
                        message = f"'{param}[{at}]' is no picture of this character."
                        raise RequestError(message, param=f"{param}[{at}]", code="picture_not_found")
            decided: dict[str, Review] = dict.fromkeys(accept, "accepted")
            decided |= dict.fromkeys(reject, "rejected")
            reviewed = tuple(
                each.model_copy(update={"review": decided.get(each.job_id, each.review)})
                for each in character.candidates
            )
            return character.model_copy(update={"candidates": reviewed})

        for at, job_id in enumerate(accept):
            if is_job_id(job_id) and self.submitter.store.get(job_id, owner=owner).status is not State.COMPLETED:
                raise RequestError("The picture is not there yet.", param=f"accept[{at}]", code="picture_not_ready")
        return self.store.change(character_id, move, owner=owner)

    def _trainable(self, model: str) -> ModelSpec:
        spec = spec_of(model)
        if not spec.supports_lora:
            message = f"{spec.id} takes no LoRAs, and so no characters."
            raise RequestError(message, param="model", code="loras_not_supported")
        if spec.training is None:
            message = f"Characters cannot be trained for {spec.id}."
            raise RequestError(message, param="model", code="training_not_supported")
        return spec

    def _draft(self, character: Character, count: int, payer: "ApiKey | None") -> Character:
        """Ask for the pictures: all of them, or, where a limit is reached midway, none."""
        self._plan(character, character.training)  # what is wrong with it is said before pictures are paid for
        seed = secrets.randbelow(2**31)
        drafted = character
        try:
            for at in range(count):
                asked = Candidate(job_id=self._picture(character, seed + at, payer).id)
                drafted = drafted.model_copy(update={"candidates": (*drafted.candidates, asked)})
        except BaseException:
            self._erase(drafted)
            raise
        return drafted

    def _picture(self, character: Character, seed: int, payer: "ApiKey | None") -> Job:
        """A short video by the description."""
        spec = spec_of(character.model)
        raw = {
            "model": spec.id,
            "prompt": character.description,
            "num_frames": spec.frame_rule.min,
            "seed": seed,
            "metadata": {"character": character.id},
        }
        return self.submitter.submit(raw, owner=character.owner, source=_API, payer=payer)

    def _accepted_pictures(self, character: Character) -> tuple[TrainingReference, ...]:
        """The accepted candidates, copied to be the character's own."""
        references: list[TrainingReference] = []
        for candidate in character.accepted:
            job = self.submitter.store.get(candidate.job_id, owner=character.owner)
            keep, found = self.material.copied(character.id, job, 1)
            keep()
            references += found
        return tuple(references)

    def _plan(self, character: Character, asked: TrainingBody) -> tuple[RequestBody, TrainingPlan]:
        spec = spec_of(character.model)
        settings = settings_of(asked, spec, trigger=character.trigger, seed=0)
        number = 1 if character.newest is None else character.newest.number + 1
        plan = TrainingPlan(
            character_id=character.id,
            name=character.name,
            version=number,
            trigger=character.trigger,
            lora=lora_name(character.id, number),
            references=character.references,
            settings=settings,
        )
        sample = RequestBody(
            model=spec.id, prompt=settings.sample_prompt, num_frames=spec.frame_rule.min, seed=settings.seed
        )
        return sample, plan

    def _begin(
        self,
        character: Character,
        sample: RequestBody,
        plan: TrainingPlan,
        payer: "ApiKey | None",
        source: Source,
    ) -> Character:
        """Queue the next version of a character that is there."""
        version = self._queued(character, sample, plan, payer, source)

        def move(old: Character) -> Character:
            if any(each.number == version.number for each in old.versions):
                return old
            changes = {"name": character.name, "references": character.references, "training": character.training}
            return self._with_version(old.model_copy(update=changes), version)

        return self.store.change(character.id, move, owner=character.owner)

    def _queued(
        self,
        character: Character,
        sample: RequestBody,
        plan: TrainingPlan,
        payer: "ApiKey | None",
        source: Source,
    ) -> Version:
        job = self.submitter.train(sample, plan, owner=character.owner, source=source, payer=payer)
        return Version(number=plan.version, job_id=job.id, created_at=job.created_at)

    @staticmethod
    def _with_version(character: Character, version: Version) -> Character:
        return character.model_copy(update={"versions": (*character.versions, version)})

    def _ended(self, version: Version) -> bool:
        try:
            return is_terminal(self.submitter.store.get(version.job_id).status)
        except JobNotFound:
            return True

    def _jobs(self, character: Character) -> list[Job]:
        """The jobs that train it and those that generate its pictures, as far as they are there."""
        found = []
        for job_id in [*(each.job_id for each in character.versions), *(each.job_id for each in character.candidates)]:
            try:
                found.append(self.submitter.store.get(job_id, owner=character.owner))
            except JobNotFound:
                continue
        return found


def _check_same(character: Character, body: CharacterBody) -> None:
    """Refuse what no later version can change: earlier ones stay in use, and each was trained for the model and the
    trigger of the one record. What is left out stays as it is. Raises RequestError."""
    given = {"model": None if body.model is None else spec_of(body.model).id, "trigger": body.trigger}
    for field, kept in (("model", character.model), ("trigger", character.trigger)):
        if given[field] not in (None, kept):
            message = (
                f"The {field} of a character cannot change: that of '{character.name}' is '{kept}'. "
                f"For another {field}, make a new character: drop the pictures into a new folder."
            )
            raise RequestError(message, param=field, code=f"{field}_cannot_change")
