"""`characters`: somebody or something that stays the same over many videos, learned from pictures, a video or words."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.character_material import material_of
from cli.exits import CliError, Exit
from cli.group import Commands
from cli.session import Session, with_session
from cli.text import when

app = typer.Typer(cls=Commands, help="Characters that keep their looks from video to video.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="CHARACTER_ID")]
Steps = Annotated[int | None, typer.Option(help="Optimiser steps; the model's default if left out.")]
Rank = Annotated[int | None, typer.Option(help="Rank of the LoRA.")]
InMotion = Annotated[bool, typer.Option("--in-motion", help="Film each picture with camera moves: it learns to move.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the training to its end.")]
SETTLED = frozenset(("ready", "failed", "review"))
POLL_S = 3.0
PAGE = 100  # the most that the API gives at once


@app.command("list")
@with_session
def list_characters(session: Session) -> None:
    """The characters of your key, newest first."""
    found = _all(session)
    table = Table(box=None, pad_edge=False)
    for name in ("id", "name", "status", "model", "trigger", "made (UTC)"):
        table.add_column(name, overflow="fold")
    for each in found["data"]:
        made = when(each["created_at"])
        table.add_row(each["id"], escape(each["name"]), _status(each), each["model"], escape(each["trigger"]), made)
    session.emit(found, table)


@app.command()
@with_session
def create(
    session: Session,
    source: Annotated[str, typer.Argument(help="A folder of pictures, a zip, or a name (with one of the options).")],
    name: Annotated[str | None, typer.Option(help="What to call it; else the folder's name.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="A reference image: file, URL or upload; again for each.")
    ] = None,
    video: Annotated[str | None, typer.Option(help="Instead: a finished video, a file or an upload.")] = None,
    describe: Annotated[str | None, typer.Option(help="Instead: words to generate pictures from, to review.")] = None,
    trigger: Annotated[str | None, typer.Option(help="The word that means it in prompts.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The model it is for.")] = None,
    steps: Steps = None,
    rank: Rank = None,
    in_motion: InMotion = False,
    wait: Wait = False,
) -> None:
    """A new character, from a folder of 5 to 60 pictures (`a.txt` is the caption of `a.jpg`), a video or words."""
    body = material_of(session, source, images=image or [], video=video, description=describe)
    if name:
        body["name"] = name
    training = _training(steps, rank, in_motion)
    body |= {key: value for key, value in (("trigger", trigger), ("model", model), ("training", training)) if value}
    made = session.api.post("/videos/characters", body).body
    _tell(session, _followed(session, made) if wait else made)


@app.command()
@with_session
def show(session: Session, character_id: Id) -> None:
    """One character, and its versions."""
    found = session.api.get(f"/videos/characters/{character_id}").body
    material = "a video" if found["has_video"] else f"{found['num_images']} images"
    why = "" if not found["error"] else f" ({found['error']['message']})"
    line = f"{found['id']} ({found['name']}), from {material}, for {found['model']}: {_status(found)}{why}."
    table = Table(box=None, pad_edge=False)
    for column in ("version", "status", "steps", "LoRA", "its video"):
        table.add_column(column, overflow="fold")
    for each in found["versions"]:
        table.add_row(str(each["version"]), each["status"], str(each["steps"]), each["lora"] or "-", each["video_id"])
    session.emit(found, escape(line), escape(found["detail"]), *([table] if found["versions"] else []))


@app.command()
@with_session
def images(session: Session, character_id: Id) -> None:
    """The pictures that were generated from words, to be reviewed."""
    found = session.api.get(f"/videos/characters/{character_id}/images").body
    table = Table(box=None, pad_edge=False)
    for column in ("picture", "there", "review"):
        table.add_column(column, overflow="fold")
    for each in found["data"]:
        there = "failed" if each["failed"] else "yes" if each["ready"] else "not yet"
        table.add_row(each["id"], there, each["review"])
    session.emit(found, table)


@app.command()
@with_session
def review(
    session: Session,
    character_id: Id,
    accept: Annotated[list[str] | None, typer.Option(help="A picture to learn from; again for each.")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="One to leave out; again for each.")] = None,
) -> None:
    """Accept or reject generated pictures."""
    body = {"accept": accept or [], "reject": reject or []}
    found = session.api.post(f"/videos/characters/{character_id}/images", body).body
    accepted = sum(each["review"] == "accepted" for each in found["data"])
    session.emit(found, f"{accepted} of {len(found['data'])} pictures are accepted")


@app.command()
@with_session
def train(
    session: Session,
    character_id: Id,
    steps: Steps = None,
    rank: Rank = None,
    in_motion: InMotion = False,
    wait: Wait = False,
) -> None:
    """Train it after a review, or a next version of it."""
    made = session.api.post(f"/videos/characters/{character_id}/train", _training(steps, rank, in_motion)).body
    _tell(session, _followed(session, made) if wait else made)


@app.command()
@with_session
def watch(session: Session, character_id: Id) -> None:
    """Follow a training to its end, with its loss."""
    _tell(session, _followed(session, session.api.get(f"/videos/characters/{character_id}").body))


@app.command()
@with_session
def cancel(session: Session, character_id: Id) -> None:
    """Stop a training; versions that are ready stay."""
    found = session.api.post(f"/videos/characters/{character_id}/cancel").body
    session.emit(found, f"the training of {character_id} is stopped within one step")


@app.command()
@with_session
def download(
    session: Session,
    character_id: Id,
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    expert: Annotated[str, typer.Option(help="high_noise or low_noise, for models with two.")] = "high_noise",
    comfyui: Annotated[bool, typer.Option("--comfyui", help="With ComfyUI's names instead of diffusers'.")] = False,
) -> None:
    """Take the trained LoRA home, as a safetensors file."""
    layout = "comfyui" if comfyui else "diffusers"
    path = f"/videos/characters/{character_id}/lora?expert={expert}&layout={layout}"
    size = session.api.download(path, target, on_bytes=lambda _done, _total: None)
    session.emit({"path": str(target), "bytes": size}, f"{target}: {size:,} bytes")


@app.command()
@with_session
def delete(session: Session, character_id: Id) -> None:
    """Forget a character with its pictures and all that was learned; videos made with it stay."""
    session.emit(session.api.delete(f"/videos/characters/{character_id}").body, f"{character_id} is deleted")


def _all(session: Session) -> dict[str, Any]:
    """Every page of the list, as one."""
    pages = list(session.api.pages("/videos/characters", limit=PAGE))
    data = [each for page in pages for each in page["data"]]
    return pages[-1] | {"data": data, "first_id": pages[0]["first_id"]}


def _training(steps: int | None, rank: int | None, in_motion: bool) -> dict[str, int | str]:
    asked = {"steps": steps, "rank": rank, "camera_moves": "standard" if in_motion else None}
    return {name: value for name, value in asked.items() if value is not None}


def _status(character: dict[str, Any]) -> str:
    shown = str(character["status"])
    return f"{shown} {character['progress']}%" if shown == "training" else shown


def _tell(session: Session, character: dict[str, Any]) -> None:
    session.emit(character, escape(f"{character['id']} is {_status(character)}: {character['detail']}"))
    if character["status"] == "failed":
        message = (character["error"] or {}).get("message", "the training failed")
        raise CliError(message, Exit.FAILED, hint=f"revalida characters show {character['id']}")


def _followed(session: Session, character: dict[str, Any]) -> dict[str, Any]:
    """The character once its training has ended; says how it goes on the way."""
    with session.leaving(f"Still under way. Come back with: revalida characters watch {character['id']}"):
        return _until_settled(session, character)


def _until_settled(session: Session, character: dict[str, Any]) -> dict[str, Any]:
    last = ""
    while character["status"] not in SETTLED:
        time.sleep(POLL_S)
        character = session.api.get(f"/videos/characters/{character['id']}").body
        line = _status(character)
        if character["status"] == "training":
            loss = session.api.get(f"/videos/characters/{character['id']}/training").body["loss"]
            line += "" if loss is None else f", loss {loss:.4f}"
        if line != last:
            session.note(line)
            last = line
    return character
