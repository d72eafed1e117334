"""`keys`: API keys, their limits and what they used. It needs a key of scope `admin`; `--operator` makes the first."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.exits import usage
from cli.group import Commands
from cli.operator import operating
from cli.session import Session, with_session
from cli.text import usd, when

app = typer.Typer(cls=Commands, help="API keys, their limits, and what was done by them.", no_args_is_help=True)

_LIMITS = "Limits"
Id = Annotated[str, typer.Argument(metavar="KEY_ID", help="`key_...`, as `keys list` shows it.")]
PerMinute = Annotated[int | None, typer.Option(min=1, help="Requests a minute.", rich_help_panel=_LIMITS)]
Concurrent = Annotated[int | None, typer.Option(min=1, help="Videos under way at once.", rich_help_panel=_LIMITS)]
Daily = Annotated[int | None, typer.Option(min=1, help="Videos a day (UTC).", rich_help_panel=_LIMITS)]
Budget = Annotated[float | None, typer.Option(min=0, help="US$ a month (UTC).", rich_help_panel=_LIMITS)]


class ScopeName(StrEnum):
    SUBMIT = "submit"
    READ = "read"
    ADMIN = "admin"


Scopes = Annotated[list[ScopeName] | None, typer.Option("--scope", help="Again for each; submit and read if left out.")]


@app.command()
@with_session
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Scopes = None,
    requests_per_minute: PerMinute = None,
    max_concurrent_jobs: Concurrent = None,
    max_daily_jobs: Daily = None,
    monthly_budget_usd: Budget = None,
    operator: Annotated[bool, typer.Option("--operator", help="Write to the table with AWS credentials.")] = False,
    owner: Annotated[str, typer.Option(help="With --operator: whose videos the key makes and sees.")] = "default",
) -> None:
    """A new key, shown now and never again."""
    limits = _given(
        requests_per_minute=requests_per_minute,
        max_concurrent_jobs=max_concurrent_jobs,
        max_daily_jobs=max_daily_jobs,
        monthly_budget_usd=monthly_budget_usd,
    )
    if operator:
        made = _create_in_table(session, owner, name, scope, limits)
    else:
        body = {"name": name, "limits": limits} | _given(scopes=scope or None)
        made = session.api.post("/keys", body).body
    session.emit(made, f"{made['id']} ({escape(made['name'])}), shown only now:", escape(made["key"]))


@app.command("list")
@with_session
def list_keys(session: Session) -> None:
    """The owner's keys, revoked ones too."""
    found = session.api.get("/keys").body
    table = Table(box=None, pad_edge=False)
    for name in ("id", "name", "scopes", "made (UTC)", "revoked (UTC)", "limits"):
        table.add_column(name, overflow="fold")
    for each in found["data"]:
        cells = (each["id"], escape(each["name"]), ", ".join(each["scopes"]), when(each["created_at"]))
        table.add_row(*cells, when(each["revoked_at"]), _limits(each["limits"]))
    session.emit(found, table)


@app.command()
@with_session
def show(session: Session, key_id: Id) -> None:
    """One key: its limits, and what it used."""
    found = session.api.get(f"/keys/{key_id}").body
    used = found["usage"]
    rows = {
        "key": f"{found['id']} ({found['name']})",
        "scopes": ", ".join(found["scopes"]),
        "limits": _limits(found["limits"]) or "none",
        "spent": f"{usd(used['spent_usd'])} in {used['month']}, and {usd(used['reserved_usd'])} reserved",
        "videos": f"{used['jobs_today']} today, {used['active_jobs']} under way",
        "revoked": f"{when(found['revoked_at'])} UTC" if found["revoked_at"] else "no",
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows.items():
        table.add_row(name, escape(value))
    session.emit(found, table)


@app.command()
@with_session
def update(
    session: Session,
    key_id: Id,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    scope: Scopes = None,
    requests_per_minute: PerMinute = None,
    max_concurrent_jobs: Concurrent = None,
    max_daily_jobs: Daily = None,
    monthly_budget_usd: Budget = None,
) -> None:
    """Another name, other scopes or limits, from the next request on; limits that are not named stay."""
    limits = _given(
        requests_per_minute=requests_per_minute,
        max_concurrent_jobs=max_concurrent_jobs,
        max_daily_jobs=max_daily_jobs,
        monthly_budget_usd=monthly_budget_usd,
    )
    if limits:  # the API replaces them all
        limits = {**session.api.get(f"/keys/{key_id}").body["limits"], **limits}
    body = _given(name=name, scopes=scope or None, limits=limits or None)
    if not body:
        raise usage("There is nothing to change", hint="revalida keys update --help")
    found = session.api.post(f"/keys/{key_id}", body).body
    session.emit(
        found, escape(f"{found['id']} ({found['name']}): {', '.join(found['scopes'])}; {_limits(found['limits'])}")
    )


@app.command()
@with_session
def revoke(session: Session, key_id: Id) -> None:
    """The key stops working at once."""
    session.emit(session.api.delete(f"/keys/{key_id}").body, f"{key_id} is revoked")


@app.command()
@with_session
def audit(session: Session, key_id: Id) -> None:
    """What was changed by the key, newest first."""
    found = session.api.get(f"/keys/{key_id}/audit").body
    table = Table(box=None, pad_edge=False)
    for name in ("at (UTC)", "call", "status", "from", "what"):
        table.add_column(name, overflow="fold")
    for each in found["data"]:
        what = escape(str(each["resource"] or each["code"] or ""))
        call = escape(f"{each['method']} {each['path']}")
        table.add_row(when(each["at"]), call, str(each["status"]), each["source_ip"] or "", what)
    session.emit(found, table)


def _create_in_table(
    session: Session, owner: str, name: str, scope: list[ScopeName] | None, limits: dict[str, Any]
) -> dict[str, Any]:
    from jobs.keys import DEFAULT_SCOPES, KeyStore, Scope
    from jobs.limits import Limits

    with operating(session) as deployment:
        store = KeyStore(deployment.name("table"), client=deployment.dynamodb)
        scopes = tuple(Scope(each) for each in scope) if scope else DEFAULT_SCOPES
        try:
            key, record = store.add(owner=owner, name=name, scopes=scopes, limits=Limits(**limits))
        except ValueError as error:
            raise usage(f"The key cannot be made: {error}", hint="choose another --owner") from error
    return {**record.model_dump(mode="json", exclude={"revision"}), "key": key}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _limits(limits: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in limits.items() if value is not None)
