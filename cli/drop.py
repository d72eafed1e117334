"""`drop`: files into the inbox, for operators (it needs AWS credentials, not an API key)."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.exits import CliError, Exit, usage
from cli.operator import Deployment, operating
from cli.session import Session, with_session
from jobs import s3_keys

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PutObjectOutputTypeDef

LOOK_S = 0.5


@with_session
def drop(
    session: Session,
    files: Annotated[list[Path], typer.Argument(help="Prompt files (.txt .md .json .jsonl .yaml .csv).")],
    folder: Annotated[str, typer.Option(help="Folder below inbox/, for example campaign/may.")] = "",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the receipts, and show them.")] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="S", help="Wait at most so long.")] = 120.0,
) -> None:
    """Put files into the drop folder."""
    parts = [part for part in folder.strip("/").split("/") if part]
    if any(part in {".", ".."} for part in parts):
        raise usage(f"'{folder}' is no folder below the inbox", hint="leave '.' and '..' out of --folder")
    _refuse_twins(files)
    with operating(session) as deployment:
        bucket = deployment.name("media_bucket")
        dropped = [_put(deployment, bucket, file, "/".join([*parts, file.name])) for file in files]
        if wait:
            until = time.monotonic() + timeout
            places = " ".join(f"s3://{bucket}/{each['receipt']}" for each in dropped)
            with session.leaving(f"What was dropped is taken in. Look later at {places}"):
                for each in dropped:
                    each["entries"] = _receipt(deployment, bucket, each, until)
    session.emit({"object": "list", "data": dropped}, *(_shown(each, bucket) for each in dropped))
    rejected = sum(entry["status"] == "rejected" for each in dropped for entry in each.get("entries", ()))
    if rejected:
        raise CliError(f"{rejected} prompts were rejected", Exit.REFUSED, hint="correct the lines named and drop again")


def _refuse_twins(files: list[Path]) -> None:
    """Two files of one name would have one place in the inbox, one receipt, and each other's videos."""
    name, count = Counter(file.name for file in files).most_common(1)[0]
    if count > 1:
        hint = "drop them one by one, each with a --folder of its own"
        raise usage(f"{name} is there {count} times, and would replace itself", hint=hint)


def _put(deployment: Deployment, bucket: str, file: Path, path: str) -> dict[str, Any]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}", hint="check the path") from error
    key = f"{s3_keys.INBOX}{path}"
    answer: PutObjectOutputTypeDef = deployment.s3.put_object(Bucket=bucket, Key=key, Body=data)
    receipt = s3_keys.receipt(key)
    return {"file": str(file), "key": key, "etag": answer["ETag"].strip('"'), "receipt": receipt}


def _receipt(deployment: Deployment, bucket: str, dropped: dict[str, Any], until: float) -> list[dict[str, Any]]:
    """The receipt of this very drop: one of an earlier file of the same name does not count."""
    while True:
        found = _read(deployment, bucket, dropped["receipt"])
        if found is not None and found["source"]["etag"] == dropped["etag"]:
            entries: list[dict[str, Any]] = found["entries"]
            return entries
        if time.monotonic() >= until:
            message = f"There is no receipt for {dropped['key']} yet"
            hint = f"look at s3://{bucket}/{dropped['receipt']} later"
            raise CliError(message, Exit.STILL_RUNNING, hint=hint)
        time.sleep(LOOK_S)


def _read(deployment: Deployment, bucket: str, key: str) -> dict[str, Any] | None:
    try:
        body = deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except deployment.s3.exceptions.NoSuchKey:
        return None
    receipt: dict[str, Any] = json.loads(body)
    return receipt


def _shown(dropped: dict[str, Any], bucket: str) -> Table | str:
    if "entries" not in dropped:
        return f"{dropped['key']} is in the inbox. Next: s3://{bucket}/{dropped['receipt']}"
    table = Table(title=dropped["key"], title_justify="left", box=None, pad_edge=False)
    for name in ("line", "status", "what"):
        table.add_column(name, justify="right" if name == "line" else "left", overflow="fold")
    for entry in dropped["entries"]:
        what = entry["job_id"] if entry["status"] == "accepted" else escape(entry["error"]["message"])
        table.add_row(str(entry["line"]), entry["status"], what)
    return table
