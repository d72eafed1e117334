"""`/v1/videos`: create, list, retrieve, content, delete, cancel."""

import time

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response

from jobs import aws, clock
from jobs.assets import delete_assets, delete_inputs
from jobs.drop.results import withdraw
from jobs.errors import RequestError
from jobs.eta import eta_seconds, poll_after_ms
from jobs.job import Job, Source
from jobs.origin import Derivation
from jobs.states import State, is_terminal
from jobs.view import video_view
from lambdas import services
from lambdas.api.auth import caller, owner_of
from lambdas.api.http import Body, HttpEvent, answer, idempotency_key, is_retry, read_body
from lambdas.api.query import list_query, prefer_wait, variant
from lambdas.api.views import ContentView

logger = Logger(child=True)
URL_LIFETIME_S = 3600
WAIT_LOOK_S = 0.5


def create(event: HttpEvent) -> Response[str]:
    """Accept a request; 200 with the video object, as OpenAI answers."""
    owner = owner_of(event)
    return accept(event, owner, read_body(event))


def accept(event: HttpEvent, owner: str, body: Body, *, derived: Derivation | None = None) -> Response[str]:
    """Submit the request, and answer with the video object. Raises RequestError."""
    job = services.submitter().submit(
        body.raw,
        owner=owner,
        source=Source(door="api"),
        idempotency_key=idempotency_key(event),
        is_retry=is_retry(event),
        texts=body.texts,
        derived=derived,
        payer=caller(),
        trace=event.headers.get("x-amzn-trace-id"),
    )
    logger.info("video accepted", extra={"job_id": job.id, "trace_id": job.trace_id})
    wait_s = prefer_wait(event.headers.get("prefer", ""))
    return _shown(_ended_within(job, wait_s) if wait_s else job)


def list_videos(event: HttpEvent) -> Response[str]:
    """One page of the owner's videos."""
    owner = owner_of(event)
    query = list_query(event.query_string_parameters)
    page = services.store().list(
        owner,
        after=query.after,
        limit=query.limit,
        order=query.order,
        status=query.status,
        model=query.model,
        text=query.text,
    )
    data = [video_view(job).model_dump(mode="json") for job in page.jobs]
    return answer(
        {
            "object": "list",
            "data": data,
            "has_more": page.has_more,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }
    )


def retrieve(event: HttpEvent, video_id: str) -> Response[str]:
    """One video, with its place in the queue and when it will be done."""
    owner = owner_of(event)
    return _shown(services.store().get(video_id, owner=owner))


def content(event: HttpEvent, video_id: str) -> Response[str]:
    """302 to the file, signed for an hour; to `Accept: application/json` the signed URLs themselves."""
    job = services.store().get(video_id, owner=owner_of(event))
    kind = variant(event.query_string_parameters)
    if job.outputs is None:
        message = f"The video is not ready: its status is '{job.status}'."
        raise RequestError(message, code="video_not_ready")
    key: str = getattr(job.outputs, kind)
    name = f"{job.id}.{key.rpartition('.')[2]}"
    url = _signed(job.outputs.bucket, key, f'inline; filename="{name}"')
    if event.headers.get("accept", "").startswith("application/json"):
        view = ContentView(
            variant=kind,
            url=url,
            download_url=_signed(job.outputs.bucket, key, f'attachment; filename="{name}"'),
            expires_at=int(clock.now()) + URL_LIFETIME_S,
        )
        return answer(view.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
    return Response(status_code=302, headers={"Location": url, "Cache-Control": "no-store"}, body="")


def _signed(bucket: str, key: str, disposition: str) -> str:
    return aws.s3().generate_presigned_url(
        "get_object",
        Params={"Bucket": bucket, "Key": key, "ResponseContentDisposition": disposition},
        ExpiresIn=URL_LIFETIME_S,
    )


def delete(event: HttpEvent, video_id: str) -> Response[str]:
    """Remove the record and every file; work on it stops at its next heartbeat."""
    job = services.store().delete(video_id, owner=owner_of(event))
    if not is_terminal(job.status):
        # The stream tells of it, too; here it is settled while what was worked on it is still known.
        services.usage().settle(job.model_copy(update={"status": State.CANCELLED}))
    delete_assets(services.media_bucket(), job.id)
    delete_inputs(services.media_bucket(), job)
    withdraw(job)
    return answer({"id": job.id, "deleted": True, "object": "video.deleted"})


def cancel(event: HttpEvent, video_id: str) -> Response[str]:
    """Cancel: at once if queued, within a denoise step if running. Again for a cancelled one changes nothing."""
    job = services.store().cancel(video_id, owner=owner_of(event))
    if is_terminal(job.status) and job.status is not State.CANCELLED:
        raise RequestError(f"The video has ended: its status is '{job.status}'.", code="video_not_cancellable")
    return _shown(job)


def _ended_within(job: Job, wait_s: int) -> Job:
    """The job once it has ended, or as it is after `wait_s` seconds."""
    until = clock.now() + wait_s
    while not is_terminal(job.status) and clock.now() < until:
        time.sleep(WAIT_LOOK_S)
        job = services.store().get(job.id)
    return job


def _shown(job: Job) -> Response[str]:
    position, eta_s = _forecast(job)
    view = video_view(job, queue_position=position, eta_seconds=eta_s)
    return answer(view.model_dump(mode="json"), headers={"openai-poll-after-ms": str(poll_after_ms(eta_s))})


def _forecast(job: Job) -> tuple[int | None, float | None]:
    """Place in the queue (1 is next), and seconds until done."""
    if is_terminal(job.status):
        return None, None
    if job.status is State.IN_PROGRESS:
        return None, eta_seconds(job, ahead=0, slots=1, now=clock.now())
    ahead = services.store().queued_of(job.model, before=job.id)
    return ahead + 1, eta_seconds(job, ahead=ahead, slots=services.fleet().slots(), now=clock.now())
