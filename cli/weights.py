"""``revalida weights``: the operator's commands for the models' files in the deployment's bucket.

AWS is reached with the environment's credentials and region, as the AWS command line does.
"""

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from jobs import s3_keys
from models import catalog
from models.catalog import CatalogError, ModelSpec
from models.interface import ModelError
from models.weights.bucket import WeightsBucket
from models.weights.origins import FolderOrigin, HubOrigin, PullOrigin
from models.weights.pull import PulledFile
from models.weights.pull import pull as pull_weights

EXIT_FAILED = 1
EXIT_USAGE = 2
GIB = 2**30

app = typer.Typer(help="The models' files: bring them into the bucket, see what is there.", no_args_is_help=True)

Bucket = Annotated[
    str, typer.Option(envvar="REVALIDA_MEDIA_BUCKET", help="The deployment's media bucket (its output MediaBucket).")
]


@app.command()
def pull(
    model: Annotated[str, typer.Argument(help="Model id, as in GET /v1/models.")],
    bucket: Bucket,
    folder: Annotated[
        Path | None, typer.Option("--from", help="A local folder in the published layout, instead of the Hub.")
    ] = None,
    staging: Annotated[
        Path | None, typer.Option(help="Where each file lies on its way; needs room for the largest, about 10 GiB.")
    ] = None,
) -> None:
    """Brings a model's files into the bucket, from the Hugging Face Hub or a folder; goes on where it was cut short."""
    try:
        spec = catalog.get(model)
    except CatalogError as error:
        _stop(str(error), EXIT_USAGE)
    if spec.embedded:
        _stop(f"{spec.id} is shipped with the code: there is nothing to pull", EXIT_USAGE)
    _tell_licence(spec)
    origin: PullOrigin = FolderOrigin(folder) if folder is not None else HubOrigin(staging=staging)
    try:
        manifest = pull_weights(spec, origin, _open(bucket), on_file=_print_file)
    except (ModelError, OSError) as error:
        _stop(f"{error}. Nothing of it is offered yet; the same command goes on.", EXIT_FAILED)
    typer.echo(f"{spec.id}, revision {manifest.revision}: {len(manifest.files)} files, {manifest.bytes / GIB:.2f} GiB")
    typer.echo("Agents that start from now on offer it.")


@app.command("list")
def list_weights(bucket: Bucket) -> None:
    """Which models' files are in the bucket, whole and ready for the agents."""
    try:
        stored = _open(bucket).stored()
    except ModelError as error:
        _stop(str(error), EXIT_FAILED)
    table = Table("model", "revision", "pulled")
    for found in stored:
        table.add_row(found.model, found.revision, found.written_at.strftime("%Y-%m-%d %H:%M UTC"))
    Console().print(table)


def _open(bucket: str) -> WeightsBucket:
    import boto3  # half a second that the other commands need not wait

    return WeightsBucket(boto3.client("s3"), bucket, root=s3_keys.WEIGHTS)


def _tell_licence(spec: ModelSpec) -> None:
    licence = spec.licence
    typer.echo(f"{spec.title}: {licence.name}, commercial use {licence.commercial_use} ({licence.url})")


def _print_file(file: PulledFile) -> None:
    done = "sent" if file.sent else "was there"
    typer.echo(f"[{file.number}/{file.of}] {file.path} ({file.bytes / GIB:.2f} GiB) {done}")


def _stop(message: str, code: int) -> NoReturn:
    Console(stderr=True).print(f"revalida weights: {message}", style="red", highlight=False, markup=False)
    raise typer.Exit(code)
