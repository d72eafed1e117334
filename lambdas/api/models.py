"""`/v1/models`: the catalog, with what this fleet can run, and quotes."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from jobs import clock
from jobs.eta import until_done_s
from jobs.job import Estimate
from jobs.settings import settings
from jobs.validation import parse, resolve
from lambdas import services
from lambdas.api.auth import owner_of
from lambdas.api.http import ApiError, HttpEvent, answer, read_body
from lambdas.api.views import EstimateView, model_view
from models import catalog


def list_models(event: HttpEvent) -> Response[str]:
    """Every model of the catalog, and whether it can run here."""
    owner_of(event)
    return answer({"object": "list", "data": [_shown(spec) for spec in catalog.all_models()]})


def retrieve_model(event: HttpEvent, model_id: str) -> Response[str]:
    """One model."""
    owner_of(event)
    try:
        return answer(_shown(catalog.get(model_id)))
    except catalog.UnknownModel as unknown:
        raise ApiError(404, "No such model.", code="model_not_found") from unknown


def estimate(event: HttpEvent) -> Response[str]:
    """What a request would take and cost, and whether the fleet can run it; creates nothing."""
    owner_of(event)
    body = read_body(event)
    request = resolve(parse(body.raw, texts=body.texts), default_model=settings().default_model, now=clock.now())
    verdict, predicted = services.admission().quote(request)
    eta_s = None if verdict.runnable is False else _eta_s(request.model, predicted)
    view = EstimateView(
        model=request.model,
        feasible=verdict.runnable,
        reason=verdict.reason,
        slot=predicted.slot,
        compute_seconds=round(predicted.seconds, 3),
        load_seconds=round(predicted.load_s, 3),
        eta_seconds=None if eta_s is None else int(eta_s),
        cost_usd=predicted.cost_usd,
        size=request.size,
        num_frames=request.total_frames,
        fps=request.fps,
        num_inference_steps=request.num_inference_steps,
    )
    return answer(view.model_dump(mode="json"))


def _eta_s(model: str, predicted: Estimate) -> float:
    """If it were asked for now: after what waits, and after a boot if nothing runs."""
    ahead = services.store().queued_of(model)
    return until_done_s(predicted, ahead=ahead, slots=services.fleet().slots())


def _shown(spec: catalog.ModelSpec) -> dict[str, Any]:
    verdict, predicted = services.admission().typical(spec)
    view = model_view(spec, runnable=verdict.runnable, reason=verdict.reason, predicted=predicted)
    return view.model_dump(mode="json")
