"""`/v1/videos/characters`: create, list, retrieve, delete, review, train, watch, take home."""

from aws_lambda_powertools.event_handler import Response

from jobs import aws, s3_keys
from jobs.character import Character, CharacterBody, ReviewBody
from jobs.character_view import (
    CharacterDeletedView,
    CharacterListView,
    SampleView,
    TrainingView,
    character_view,
    picture_views,
    version_status,
)
from jobs.errors import JobNotFound, RequestError
from jobs.job import Job
from jobs.states import State
from jobs.training import TrainingBody
from jobs.training_progress import loss_plot, losses, samples, smoothed
from lambdas import services
from lambdas.api.auth import caller, owner_of
from lambdas.api.http import HttpEvent, answer, idempotency_key, is_retry, read_model
from lambdas.api.query import character_query, lora_query, version_query

URL_LIFETIME_S = 3600


def create_character(event: HttpEvent) -> Response[str]:
    """Take in what a character is to be learned from, and queue its training."""
    owner = owner_of(event)
    body = read_model(event, CharacterBody)
    character = services.casting().create(
        body, owner=owner, payer=caller(), idempotency_key=idempotency_key(event), is_retry=is_retry(event)
    )
    return _shown(character)


def list_characters(event: HttpEvent) -> Response[str]:
    """One page of the owner's characters."""
    owner = owner_of(event)
    query = character_query(event.query_string_parameters)
    page = services.characters().list(owner, after=query.after, limit=query.limit, order=query.order)
    data = [character_view(character, _job_of) for character in page.characters]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    view = CharacterListView(data=data, has_more=page.has_more, first_id=ends[0], last_id=ends[1])
    return answer(view.model_dump(mode="json"))


def retrieve_character(event: HttpEvent, character_id: str) -> Response[str]:
    """One character."""
    return _shown(_mine(event, character_id))


def delete_character(event: HttpEvent, character_id: str) -> Response[str]:
    """Forget a character with everything it was learned from and everything learned; videos made with it stay."""
    character = services.casting().delete(character_id, owner=owner_of(event))
    return answer(CharacterDeletedView(id=character.id, deleted=True).model_dump(mode="json"))


def list_images(event: HttpEvent, character_id: str) -> Response[str]:
    """The pictures that were generated from its description, to be reviewed."""
    return answer(picture_views(_mine(event, character_id), _job_of).model_dump(mode="json"))


def review_images(event: HttpEvent, character_id: str) -> Response[str]:
    """Accept or reject generated pictures."""
    owner = owner_of(event)
    services.characters().get(character_id, owner=owner)
    body = read_model(event, ReviewBody)
    character = services.casting().review(character_id, accept=body.accept, reject=body.reject, owner=owner)
    return answer(picture_views(character, _job_of).model_dump(mode="json"))


def train_character(event: HttpEvent, character_id: str) -> Response[str]:
    """Begin its first training after a review, or its next version."""
    owner = owner_of(event)
    services.characters().get(character_id, owner=owner)
    body = read_model(event, TrainingBody)
    return _shown(services.casting().train(character_id, body, owner=owner, payer=caller()))


def cancel_character(event: HttpEvent, character_id: str) -> Response[str]:
    """Stop its training; versions that are ready stay."""
    return _shown(services.casting().cancel(character_id, owner=owner_of(event)))


def watch_training(event: HttpEvent, character_id: str) -> Response[str]:
    """Losses and samples of a version's training, the newest unless `version` says which."""
    number, job = _training(event, character_id)
    bucket = services.media_bucket()
    curve = losses(bucket, job)
    view = TrainingView(
        version=number,
        status=version_status(job),
        step=len(curve),
        steps=job.training.settings.steps if job.training else 0,
        losses=curve,
        loss=smoothed(curve)[-1] if curve else None,
        samples=[SampleView(step=step, url=_signed(bucket, key)) for step, key in samples(bucket, job)],
        loss_plot=f"/v1/videos/characters/{character_id}/training/loss.svg?version={number}",
    )
    return answer(view.model_dump(mode="json"))


def plot_training(event: HttpEvent, character_id: str) -> Response[str]:
    """The loss curve as a picture."""
    _, job = _training(event, character_id)
    curve = losses(services.media_bucket(), job)
    steps = job.training.settings.steps if job.training else len(curve)
    return Response(status_code=200, content_type="image/svg+xml", body=loss_plot(curve, steps=steps))


def download_lora(event: HttpEvent, character_id: str) -> Response[str]:
    """302 to a version's file for one expert, in diffusers' or ComfyUI's layout."""
    query = lora_query(event.query_string_parameters)
    number, job = _training(event, character_id)
    if job.status is not State.COMPLETED or job.training is None:
        message = f"Version {number} is not ready: its training is '{job.status}'."
        raise RequestError(message, param="version", code="character_not_ready")
    key = s3_keys.character_lora(job.training.lora, query.expert, query.layout)
    bucket = services.media_bucket()
    if not aws.exists(bucket, key):
        message = f"{job.model} has no {query.expert} expert."
        raise RequestError(message, param="expert", code="expert_not_found")
    name = key.rpartition("/")[2]
    url = _signed(bucket, key, f'attachment; filename="{name}"')
    return Response(status_code=302, headers={"Location": url, "Cache-Control": "no-store"}, body="")


def _mine(event: HttpEvent, character_id: str) -> Character:
    return services.characters().get(character_id, owner=owner_of(event))


def _training(event: HttpEvent, character_id: str) -> tuple[int, Job]:
    """The version that is asked about and its job. Raises RequestError for one that was never begun."""
    character = _mine(event, character_id)
    wanted = version_query(event.query_string_parameters)
    for version in reversed(character.versions):
        job = _job_of(version.job_id) if wanted in (None, version.number) else None
        if job is not None:
            return version.number, job
    raise RequestError("The character has no such version.", param="version", code="version_not_found")


def _job_of(job_id: str) -> Job | None:
    try:
        return services.store().get(job_id)
    except JobNotFound:
        return None


def _signed(bucket: str, key: str, disposition: str = "inline") -> str:
    parameters = {"Bucket": bucket, "Key": key, "ResponseContentDisposition": disposition}
    return aws.s3().generate_presigned_url("get_object", Params=parameters, ExpiresIn=URL_LIFETIME_S)


def _shown(character: Character) -> Response[str]:
    return answer(character_view(character, _job_of).model_dump(mode="json"))
