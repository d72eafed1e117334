"""The acceptance path, the same for every door: validate, recognise repeats, admit, record, send."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from jobs import clock, idempotency, tracing
from jobs.addresses import FetchError, check
from jobs.errors import ConditionFailed, IdempotencyConflict, JobNotFound, RequestError
from jobs.ids import new_job_id
from jobs.images import ImageReader, ImageSink
from jobs.job import Estimate, Job, Source
from jobs.keys import ApiKey
from jobs.limits import new_charge
from jobs.origin import Derivation
from jobs.queue import JobQueues
from jobs.request import RequestBody, VideoRequest
from jobs.states import State
from jobs.store import JobStore
from jobs.training import TrainingPlan
from jobs.usage import UsageStore
from jobs.validation import given_image, parse, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Cast(Protocol):
    """The request with its LoRAs by name, and characters' triggers in its prompts. Raises RequestError for a LoRA or a
    character that is not there for this owner and model."""

    def __call__(self, body: RequestBody, *, model: str, owner: str) -> RequestBody: ...


class Admission(Protocol):
    """Says what a request would take, or raises RequestError where no slot of the fleet can run it."""

    def __call__(self, request: VideoRequest, training: TrainingPlan | None = None) -> Estimate: ...


@dataclass(frozen=True, kw_only=True)
class Submitter:
    """Accepts requests. `admit` estimates or refuses, `read_image` gets an input image, `keep_image` stores it,
    `cast` finds the LoRAs and characters, `check_url` a webhook that must not be reached (by FetchError)."""

    store: JobStore
    queues: JobQueues
    admit: Admission
    read_image: ImageReader
    keep_image: ImageSink
    cast: Cast
    default_model: str
    usage: UsageStore
    check_url: Callable[[str], object] = check
    now: Callable[[], float] = clock.now

    def submit(
        self,
        raw: "Mapping[str, object]",
        *,
        owner: str,
        source: Source,
        idempotency_key: str | None = None,
        is_retry: bool = False,
        texts: bool = False,
        key_lifetime_s: float = idempotency.KEY_LIFETIME_S,
        derived: Derivation | None = None,
        payer: ApiKey | None = None,
        trace: str | None = None,
    ) -> Job:
        """Accept a request, or return the job that it made before.

        `is_retry`: the client says that it repeats a request, which had no key. `texts`: see `parse`.
        `derived`: the request is made from a video, and `raw` is what it says.
        `payer`: the API key whose limits hold and whose account is charged. `trace`: the `X-Amzn-Trace-Id` header.
        Raises RequestError, IdempotencyConflict if the key came with another request before, LimitReached."""
        body = parse(raw, texts=texts)
        key = _Key(owner, idempotency.checked(idempotency_key), idempotency.fingerprint(body, derived), key_lifetime_s)
        known = self._known(key, is_retry=is_retry)
        if known is not None:
            return known
        job = self._new_job(body, owner, source, derived).model_copy(update={"trace_id": tracing.trace_id(trace)})
        if not self._record(job, key, payer):
            return self._winner(key)
        self._send(job)
        return job

    def train(
        self, body: RequestBody, plan: TrainingPlan, *, owner: str, source: Source, payer: ApiKey | None = None
    ) -> Job:
        """Accept the training of a character; `body` is the video that shows the result. The same version of the same
        character again is the job that it made. Raises RequestError, LimitReached."""
        name = f"training:{plan.lora}"
        key = _Key(owner, name, idempotency.fingerprint(body), idempotency.KEY_LIFETIME_S)
        now = self.now()
        request = resolve(body, default_model=self.default_model, now=now)
        job = Job(
            id=new_job_id(),
            owner=owner,
            status=State.QUEUED,
            request=request,
            source=source,
            created_at=now,
            updated_at=now,
            queued_at=now,
            estimate=self.admit(request, plan),
            training=plan,
        )
        if not self._record(job, key, payer):
            return self._winner(key)
        self._send(job)
        return job

    def _known(self, key: "_Key", *, is_retry: bool) -> Job | None:
        if key.given is not None:
            return self._job_of(key, self.store.find_idempotency(key.owner, key.given))
        if not is_retry:
            return None
        record = self.store.find_idempotency(key.owner, idempotency.retry_key(key.fingerprint))
        try:
            job = self._job_of(key, record)
        except RequestError:  # made by the first try and deleted since: then this is a new wish
            return None
        recent = job is not None and self.now() - job.created_at <= idempotency.RETRY_WINDOW_S
        return job if recent else None

    def _job_of(self, key: "_Key", record: idempotency.Record | None) -> Job | None:
        if record is None:
            return None
        if record.fingerprint != key.fingerprint:
            raise IdempotencyConflict("This idempotency key was used with a different request.")
        try:
            return self.store.get(record.job_id, owner=key.owner)
        except JobNotFound as gone:
            message = f"The video that this idempotency key made, '{record.job_id}', has been deleted."
            raise RequestError(message, param="Idempotency-Key", code="video_deleted") from gone

    def _new_job(self, body: RequestBody, owner: str, source: Source, derived: Derivation | None) -> Job:
        now = self.now()
        body = self.cast(body, model=body.model or self.default_model, owner=owner)
        request = resolve(body, default_model=self.default_model, now=now, derived=derived)
        estimate = self.admit(request)
        self._check_webhook(request)
        # Last, so that a refused request leaves nothing behind.
        given = given_image(body)
        if given is not None:
            request = request.model_copy(update={"image": self.keep_image(self.read_image(given, owner))})
        origin = None
        if derived is not None:
            derived.keep()
            origin = derived.origin
        return Job(
            id=new_job_id(),
            owner=owner,
            status=State.QUEUED,
            request=request,
            source=source,
            created_at=now,
            updated_at=now,
            queued_at=now,
            estimate=estimate,
            remixed_from_video_id=origin.video_id if origin is not None and origin.kind == "remix" else None,
            origin=origin,
        )

    def _check_webhook(self, request: VideoRequest) -> None:
        if request.webhook is None:
            return
        try:
            self.check_url(request.webhook.url)
        except FetchError as error:
            raise RequestError(str(error), param="webhook.url", code="invalid_url") from error

    def _record(self, job: Job, key: "_Key", payer: ApiKey | None) -> bool:
        unique = key.given is not None
        name = key.given if key.given is not None else idempotency.retry_key(key.fingerprint)
        lifetime_s = key.lifetime_s if unique else idempotency.RETRY_WINDOW_S
        expires_at = job.created_at + lifetime_s
        item = idempotency.record_item(
            key.owner, name, job_id=job.id, fingerprint=key.fingerprint, expires_at=expires_at
        )
        if payer is None:
            return self.store.create(job, idempotency=item, unique=unique)
        charge = new_charge(payer.id, payer.limits, job)
        reservations = self.usage.reservations(charge, payer.limits)
        charged = job.model_copy(update={"charge": charge})
        try:
            writes = [*(reservation.write for reservation in reservations), self.usage.opening(charged)]
            return self.store.create(charged, idempotency=item, unique=unique, conditions=writes)
        except ConditionFailed as full:
            raise self.usage.refusal(reservations[full.index].limit, charge, payer.limits) from full

    def _winner(self, key: "_Key") -> Job:
        """Another delivery of the same request was faster: its job is the answer."""
        job = self._known(key, is_retry=False)
        if job is None:
            raise RequestError("The same request is being accepted already; try again.", code="request_in_progress")
        return job

    def _send(self, job: Job) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.queues.send(job)
        except (BotoCoreError, ClientError):
            # The job is accepted and recorded; the sweeper sends what the queue does not have.
            _log.exception("message not sent", extra={"job_id": job.id, "model": job.model})


@dataclass(frozen=True)
class _Key:
    owner: str
    given: str | None
    fingerprint: str
    lifetime_s: float
