"""`/v1/uploads`: URLs for input files that are too large for the API."""

from aws_lambda_powertools.event_handler import Response

from jobs.uploads import UploadBody, open_upload
from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import answer, read_model
from lambdas.api.routing import new_router

router = new_router()


@router.post("/v1/uploads")
def upload() -> Response[str]:
    """Where to put a file, and the id that stands for it."""
    event = router.current_event
    owner = owner_of(event)
    view = open_upload(read_model(event, UploadBody), owner=owner, bucket=services.media_bucket())
    return answer(view.model_dump(mode="json"))
