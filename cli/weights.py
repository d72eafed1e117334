"""``revalida weights``: the models' files in the deployment's bucket. For operators: AWS credentials, no API key."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.exits import CliError, Exit, usage
from cli.group import Commands
from cli.operator import operating
from cli.session import Session, with_session
from jobs import s3_keys
from models import catalog
from models.catalog import CatalogError, ModelSpec
from models.interface import ModelError

if TYPE_CHECKING:
    from models.weights.bucket import WeightsBucket
    from models.weights.pull import PulledFile

GIB = 2**30

app = typer.Typer(cls=Commands, help="The models' files in the deployment's bucket.", no_args_is_help=True)


@app.command()
@with_session
def pull(
    session: Session,
    model: Annotated[str, typer.Argument(help="Model id, as `revalida models` lists them.")],
    folder: Annotated[
        Path | None, typer.Option("--from", help="A local folder in the published layout, instead of the Hub.")
    ] = None,
    staging: Annotated[
        Path | None,
        typer.Option(
            help="Where each file lies on its way; needs room for one and a half of the largest, about 15 GiB."
        ),
    ] = None,
) -> None:
    """Bring a model's files into the bucket, from the Hugging Face Hub or a folder; goes on where it was cut short."""
    from models.weights.origins import FolderOrigin, HubOrigin, PullOrigin
    from models.weights.pull import pull as pull_weights

    spec = _spec(model)
    licence = spec.licence
    session.note(f"{spec.title}: {licence.name}, commercial use {licence.commercial_use} ({licence.url})")
    origin: PullOrigin = FolderOrigin(folder) if folder is not None else HubOrigin(staging=staging)
    with _bucket(session) as bucket:
        manifest = pull_weights(spec, origin, bucket, on_file=lambda file: session.note(_line(file)), staging=staging)
    told = f"{spec.id}, revision {manifest.revision}: {len(manifest.files)} files, {manifest.bytes / GIB:.2f} GiB."
    session.emit(manifest.model_dump(mode="json"), f"{told} Agents offer it within a minute, running ones too.")


@app.command("list")
@with_session
def list_weights(session: Session) -> None:
    """Which models' files are in the bucket, whole and ready for the agents."""
    with _bucket(session) as bucket:
        stored = bucket.stored()
    table = Table(box=None, pad_edge=False)
    for name in ("model", "revision", "pulled"):
        table.add_column(name, overflow="fold")
    for found in stored:
        table.add_row(escape(found.model), escape(found.revision), found.written_at.strftime("%Y-%m-%d %H:%M UTC"))
    rows = [{"model": each.model, "revision": each.revision, "pulled": each.written_at.isoformat()} for each in stored]
    session.emit({"object": "list", "data": rows}, table if rows else "There are none.")


def _spec(model: str) -> ModelSpec:
    try:
        spec = catalog.get(model)
    except CatalogError as error:
        raise CliError(str(error), Exit.NOT_FOUND, hint="revalida models") from error
    if spec.embedded:
        raise usage(f"{spec.id} is shipped with the code: there is nothing to pull")
    return spec


@contextmanager
def _bucket(session: Session) -> Iterator["WeightsBucket"]:
    """The deployment's weights; what goes wrong on the way becomes a CliError."""
    from models.weights.bucket import WeightsBucket
    from models.weights.errors import WeightsUnavailable

    hint = "the same command goes on; until it is through, nothing of it is offered"
    try:
        with operating(session) as deployment:
            yield WeightsBucket(deployment.s3, deployment.name("media_bucket"), root=s3_keys.WEIGHTS)
    except WeightsUnavailable as error:
        raise CliError(str(error), Exit.UNREACHABLE, hint=hint) from error
    except (ModelError, OSError) as error:
        raise CliError(str(error), Exit.REFUSED, hint=hint) from error


def _line(file: "PulledFile") -> str:
    done = "sent" if file.sent else "was there"
    return f"[{file.number}/{file.of}] {file.path} ({file.bytes / GIB:.2f} GiB) {done}"
