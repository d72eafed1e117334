"""`/v1/uploads`: URLs for input files that are too large for the API."""

from aws_lambda_powertools.event_handler import Response

from jobs.uploads import UploadBody, open_upload
from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import HttpEvent, answer, read_model


def upload(event: HttpEvent) -> Response[str]:
    """Where to put a file, and the id that stands for it."""
    owner = owner_of(event)
    view = open_upload(read_model(event, UploadBody), owner=owner, bucket=services.media_bucket())
    return answer(view.model_dump(mode="json"))
