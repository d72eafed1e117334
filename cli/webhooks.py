"""`webhooks`: who is told of what becomes of videos. Needs a key with the scope `admin`."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.group import Commands
from cli.session import Session, with_session
from cli.text import shortened, when

app = typer.Typer(cls=Commands, help="Who is told of what becomes of videos.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="WEBHOOK_ID")]
Events = Annotated[
    list[str] | None, typer.Option("--event", metavar="TYPE", help="For example video.completed; again for each.")
]


@app.command("list")
@with_session
def list_webhooks(session: Session) -> None:
    """All endpoints, newest first."""
    found = session.api.get("/webhooks", limit=100).body
    table = Table(box=None, pad_edge=False)
    for name in ("id", "url", "events", "state"):
        table.add_column(name, overflow="fold")
    for each in found["data"]:
        table.add_row(each["id"], escape(each["url"]), ", ".join(each["event_types"]), escape(_state(each)))
    session.emit(found, table)


@app.command()
@with_session
def create(
    session: Session,
    url: Annotated[str, typer.Argument(help="An https address of yours.")],
    event: Events = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """A new endpoint; its signing secret is shown now and never again."""
    made = session.api.post("/webhooks", {"url": url, "name": name} | _events(event)).body
    session.emit(made, *_with_secret(made))


@app.command()
@with_session
def show(session: Session, webhook_id: Id) -> None:
    """One endpoint, and what was delivered to it lately."""
    found = session.api.get(f"/webhooks/{webhook_id}").body
    sent = session.api.get(f"/webhooks/{webhook_id}/deliveries").body["data"]
    table = Table(title="Deliveries", title_justify="left", box=None, pad_edge=False)
    for column in ("at (UTC)", "event", "video", "status", "tries", "last answer"):
        table.add_column(column)
    for each in sent:
        last = each["tries"][-1] if each["tries"] else {}
        answer = str(last.get("status_code") or last.get("error") or "")
        cells = (when(each["created_at"]), each["event_type"], each["video_id"], each["status"])
        table.add_row(*cells, str(len(each["tries"])), escape(shortened(answer, 60)))
    line = f"{found['id']}  {found['url']}  {', '.join(found['event_types'])}  {_state(found)}"
    session.emit({**found, "deliveries": sent}, escape(line), table)


@app.command()
@with_session
def update(
    session: Session,
    webhook_id: Id,
    url: Annotated[str | None, typer.Option(help="Another address.")] = None,
    event: Events = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is told of anything.")] = None,
) -> None:
    """Change an endpoint; --enable also forgets that deliveries failed."""
    changes = {"url": url, "name": name, "enabled": enabled} | _events(event)
    body = {field: value for field, value in changes.items() if value is not None}
    found = session.api.post(f"/webhooks/{webhook_id}", body).body
    session.emit(found, escape(f"{found['id']} is {_state(found)}"))


@app.command()
@with_session
def delete(session: Session, webhook_id: Id) -> None:
    """Remove an endpoint; what was still to be delivered to it is given up."""
    session.emit(session.api.delete(f"/webhooks/{webhook_id}").body, f"{webhook_id} is deleted")


@app.command("test")
@with_session
def send_test(
    session: Session,
    webhook_id: Id,
    event: Annotated[str, typer.Option(help="The event to make up.")] = "video.completed",
) -> None:
    """Send a made-up event now, and say what the receiver answered."""
    result = session.api.post(f"/webhooks/{webhook_id}/test", {"event_type": event}).body
    session.emit(result, f"The receiver answered {result['status_code']}")


@app.command("rotate-secret")
@with_session
def rotate_secret(
    session: Session,
    webhook_id: Id,
    keep_old: Annotated[bool, typer.Option("--keep-old", help="Sign with the old one too, for 24 hours.")] = False,
) -> None:
    """A new signing secret, shown now and never again."""
    body = {"keep_old_secret_active_for_24_hours": keep_old}
    made = session.api.post(f"/webhooks/{webhook_id}/rotate_secret", body).body
    session.emit(made, *_with_secret(made))


@app.command()
@with_session
def events(session: Session) -> None:
    """The events there are."""
    found = session.api.get("/webhook_event_types").body
    session.emit(found, *found["data"])


def _events(given: list[str] | None) -> dict[str, Any]:
    return {"event_types": given} if given else {}


def _state(endpoint: dict[str, Any]) -> str:
    if not endpoint["enabled"]:
        return f"disabled: {endpoint['disabled_reason']}"
    return "enabled" if endpoint["failing_since"] is None else f"failing since {when(endpoint['failing_since'])}"


def _with_secret(made: dict[str, Any]) -> tuple[str, ...]:
    told = f"{made['id']} tells {made['url']} of {', '.join(made['event_types'])}"
    return escape(told), f"Signing secret, shown only now: {made['signing_secret']}"
