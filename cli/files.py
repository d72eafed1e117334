"""Finished files on their way to this machine."""

from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from cli.exits import CliError, Exit, usage
from cli.session import Session, err

_ENDINGS = {"video": ".mp4", "thumbnail": ".thumbnail.jpg", "spritesheet": ".spritesheet.jpg"}
_PRORES_ENDING = ".mov"


def target_of(video: dict[str, Any], variant: str, output: Path | None) -> Path:
    """Where a file goes: the given file, or `<video id>.mp4` in the given folder or here. Raises CliError."""
    name = f"{video['id']}{_ending(video, variant)}"
    if output is None:
        return Path(name)
    if output.is_dir():
        return output / name
    if not output.parent.is_dir():
        raise usage(f"There is no folder {output.parent}", hint=f"mkdir -p {output.parent}")
    return output


def fetch(
    session: Session, video: dict[str, Any], variant: str, target: Path, *, force: bool, quiet: bool = False
) -> int:
    """Write the file; returns its bytes. Raises CliError, also if the target exists and `force` is not set."""
    if target.exists() and not force:
        raise usage(f"{target} exists", hint="add --force to replace it, or --output for another place")
    if video["status"] != "completed":
        message = f"{video['id']} has no files: it is {video['status'].replace('_', ' ')}"
        next_step = "show" if video["status"] in {"failed", "cancelled"} else "watch"
        raise CliError(message, Exit.REFUSED, hint=f"revalida {next_step} {video['id']}", code="video_not_ready")
    path = f"/videos/{video['id']}/content?variant={variant}"
    columns = (TextColumn("{task.description}"), BarColumn(24), DownloadColumn())
    hidden = quiet or session.as_json or not err().is_terminal
    with Progress(*columns, console=err(), disable=hidden, transient=True) as bars:
        task = bars.add_task(target.name, total=None)
        return session.api.download(
            path, target, on_bytes=lambda done, total: bars.update(task, completed=done, total=total or None)
        )


def _ending(video: dict[str, Any], variant: str) -> str:
    if variant == "video" and video["output"]["codec"] == "prores":
        return _PRORES_ENDING
    return _ENDINGS[variant]
