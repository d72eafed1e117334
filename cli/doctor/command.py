"""The command: every check in order, a line each, and an exit code for scripts."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from cli.doctor import account, deployment
from cli.doctor.account import Clients
from cli.doctor.finding import Finding, Status
from cli.doctor.wanted import Wanted, read

EXIT_FAILURE = 1
EXIT_USAGE = 2
COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILURE: "red"}


def doctor(
    cdk_json: Annotated[Path, typer.Option("--cdk-json", help="Where the settings stand.")] = Path("cdk.json"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check account and deployment against the settings: ok, warning or failure, each with the next step."""
    try:
        wanted = read(cdk_json)
    except (OSError, ValueError, KeyError) as error:
        Console(stderr=True).print(f"revalida doctor: {cdk_json}: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(EXIT_USAGE) from error
    with httpx.Client() as http:
        findings = list(examine(wanted, _clients(wanted.region), http))
    _show(findings, as_json=as_json)
    if any(one.status is Status.FAILURE for one in findings):
        raise typer.Exit(EXIT_FAILURE)


def examine(wanted: Wanted, clients: Clients, http: httpx.Client) -> Iterator[Finding]:
    """All checks that make sense: nothing of the account without credentials, nothing of a stack that is not there."""
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
    yield deployment.launch(clients, outputs["AsgName"])


def _clients(default_region: str) -> Clients:
    import boto3  # 100 ms: only for those who ask AWS

    session = boto3.Session()
    region = session.region_name or default_region

    def client(service: str) -> Any:
        return session.client(service, region_name=region)  # type: ignore[call-overload]

    return client


def _show(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in findings], indent=2))
        return
    table = Table.grid(padding=(0, 2))
    for one in findings:
        table.add_row(f"[{COLOURS[one.status]}]{one.status}[/]", one.check, one.found)
        if one.next_step:
            table.add_row("", "", f"-> {one.next_step}")
    Console().print(table)
