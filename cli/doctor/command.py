"""The command: every check in order, a line each, and an exit code for scripts."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from cli.doctor import account, deployment
from cli.doctor.account import Clients
from cli.doctor.finding import Finding, Status
from cli.doctor.smoke import smoke
from cli.doctor.wanted import Wanted, read
from cli.exits import Exit, usage
from cli.session import Session, with_session

COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILURE: "red"}


@with_session
def doctor(
    session: Session,
    cdk_json: Annotated[Path, typer.Option("--cdk-json", help="Where the settings stand.")] = Path("cdk.json"),
    smoke_job: Annotated[
        bool, typer.Option("--smoke-job", help="Make a video, too: it launches an instance. Needs an API key.")
    ] = False,
) -> None:
    """Check account and deployment against the settings: ok, warning or failure, each with the next step."""
    try:
        wanted = read(cdk_json)
    except (OSError, ValueError, KeyError) as error:
        hint = "run it in the project's folder, or name the file with --cdk-json"
        raise usage(f"{cdk_json} cannot be read: {error}", hint=hint) from error
    trial = partial(smoke, session) if smoke_job else None
    with httpx.Client() as http:
        findings = list(examine(wanted, _clients(wanted.region), http, trial))
    session.emit([asdict(one) for one in findings], _table(findings))
    if any(one.status is Status.FAILURE for one in findings):
        raise typer.Exit(Exit.FAILED)


def examine(
    wanted: Wanted, clients: Clients, http: httpx.Client, trial: Callable[[], Finding] | None = None
) -> Iterator[Finding]:
    """All checks that make sense: nothing of the account without credentials, nothing of a stack that is not there.
    `trial` makes a video, last."""
    who = account.credentials(clients)
    yield who
    if who.status is Status.FAILURE:
        return
    yield account.region(clients, wanted)
    yield from account.quotas(clients, wanted)
    yield account.bootstrap(clients, wanted)
    standing, outputs = deployment.stack(clients, wanted)
    yield standing
    if not outputs:
        return
    yield deployment.weights(clients, outputs["MediaBucket"], wanted.default_model)
    yield deployment.api(outputs["ApiUrl"], http)
    if "ConsoleUrl" in outputs:
        yield deployment.console(outputs["ConsoleUrl"], http)
    yield deployment.launch(clients, outputs["AsgName"])
    if trial is not None:
        yield trial()


def _clients(default_region: str) -> Clients:
    import boto3  # 100 ms: only for those who ask AWS

    session = boto3.Session()
    region = session.region_name or default_region

    def client(service: str) -> Any:
        return session.client(service, region_name=region)  # type: ignore[call-overload]

    return client


def _table(findings: list[Finding]) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in findings:
        table.add_row(f"[{COLOURS[one.status]}]{one.status}[/]", one.check, one.found)
        if one.next_step:
            table.add_row("", "", f"-> {one.next_step}")
    return table
