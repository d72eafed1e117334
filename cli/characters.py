"""`characters`: LoRAs to be trained from reference images or a video."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.exits import usage
from cli.group import Commands
from cli.request import image_value
from cli.session import Session, with_session
from cli.text import when

app = typer.Typer(cls=Commands, help="Characters that keep their looks from video to video.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="CHARACTER_ID")]


@app.command("list")
@with_session
def list_characters(session: Session) -> None:
    """The characters of your key, newest first."""
    found = session.api.get("/videos/characters", limit=100).body
    table = Table(box=None, pad_edge=False)
    for name in ("id", "name", "status", "model", "made (UTC)"):
        table.add_column(name, overflow="fold")
    for each in found["data"]:
        table.add_row(each["id"], escape(each["name"]), each["status"], each["model"], when(each["created_at"]))
    session.emit(found, table)


@app.command()
@with_session
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    image: Annotated[
        list[str] | None, typer.Option(help="A reference image: file, URL or upload; again for each.")
    ] = None,
    video: Annotated[str | None, typer.Option(help="Instead: a finished video, a file or an upload.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The model it is for.")] = None,
) -> None:
    """A new character, from images or from a video."""
    if bool(image) == bool(video):
        raise usage("Give either --image or --video", hint="revalida characters create --help")
    body: dict[str, object] = {"name": name}
    if image:
        body["images"] = [image_value(each) for each in image]
    elif video:
        body["video"] = {"id": video} if video.startswith("video_") and not Path(video).exists() else image_value(video)
    if model:
        body["model"] = model
    made = session.api.post("/videos/characters", body).body
    session.emit(made, escape(f"{made['id']} is {made['status']}: {made['detail']}"))


@app.command()
@with_session
def show(session: Session, character_id: Id) -> None:
    """One character."""
    found = session.api.get(f"/videos/characters/{character_id}").body
    material = "a video" if found["has_video"] else f"{found['num_images']} images"
    why = "" if not found["error"] else f" ({found['error']['message']})"
    line = f"{found['id']} ({found['name']}), from {material}, for {found['model']}: {found['status']}{why}."
    session.emit(found, escape(line), escape(found["detail"]))


@app.command()
@with_session
def delete(session: Session, character_id: Id) -> None:
    """Forget a character; videos made with it stay."""
    session.emit(session.api.delete(f"/videos/characters/{character_id}").body, f"{character_id} is deleted")
