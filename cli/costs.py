"""``revalida costs``: cost per video, videos an hour, instances and break-even for one's own case. Works offline."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from cli import cost_report
from cli.exits import CliError, Exit, usage
from cli.session import Session, offline
from knowledge.cases import NoFit
from knowledge.data import Knowledge, UnknownEntry
from knowledge.load import load
from knowledge.own_case import Answer, Question, all_models, ask
from models.catalog import CatalogError


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    CSV = "csv"


@offline
def costs(
    session: Session,
    model: Annotated[str | None, typer.Option(help="Model id; all published models if left out.")] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT, for example 832x480.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length of the video.")] = None,
    frames: Annotated[int | None, typer.Option(help="Length in frames, instead of --seconds.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoise steps.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale; 1 or less halves the work of most.")] = None,
    shots: Annotated[int, typer.Option(min=1, help="Shots of a native multi-shot video.")] = 1,
    instance: Annotated[str | None, typer.Option(help="EC2 instance type.")] = None,
    spot_price: Annotated[
        float | None, typer.Option(min=0.001, help="US$ an hour; the data's median if left out.")
    ] = None,
    on_demand: Annotated[bool, typer.Option("--on-demand", help="Use the on-demand price.")] = False,
    volume: Annotated[int | None, typer.Option(min=1, help="Videos a month.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
) -> None:
    """What a video costs on your own fleet, and from how many a month that beats each commercial service."""
    known = load()
    if seconds is not None and frames is not None:
        raise usage("--seconds and --frames are both given", hint="leave one of them out")
    if model is None and any(value is not None for value in (size, seconds, frames, steps, guidance)):
        raise usage("Sizes, lengths and steps differ by model", hint="add --model")
    question = Question(
        instance=instance or known.default_instance,
        price_usd_h=spot_price,
        on_demand=on_demand,
        volume_a_month=volume,
        size=size,
        seconds=seconds,
        num_frames=frames,
        steps=steps,
        guidance_scale=guidance,
        shots=shots,
    )
    try:
        answers = all_models(known, question) if model is None else [ask(known, model, question)]
    except (CatalogError, UnknownEntry, ValueError) as error:
        raise usage(str(error), hint="revalida costs --help") from error
    _print(known, answers, Format.JSON if session.as_json else form, one=model is not None)


def _print(known: Knowledge, answers: Sequence[Answer | NoFit], form: Format, *, one: bool) -> None:
    first = answers[0]
    if one and isinstance(first, NoFit):
        raise CliError(first.reason, Exit.REFUSED, hint="choose another --instance, a smaller --size or fewer --frames")
    if form is Format.JSON:
        typer.echo(cost_report.as_json(answers, one=one))
    elif form is Format.CSV:
        cost_report.write_csv(answers)
    else:
        if one and isinstance(first, Answer):
            cost_report.print_one(first)
        else:
            cost_report.print_all(answers)
        share, lost = known.assumptions.busy_share.value, known.assumptions.lost_share.value
        typer.echo(
            f"Supposes {share:.0%} of billed time generating, {lost:.0%} of it lost to interruptions (docs/dados)."
        )
