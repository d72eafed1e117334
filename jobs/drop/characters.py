"""Folders of pictures dropped below `inbox/characters/<name>/`: once nothing has come for a minute, a character.

Pictures and captions (`a.txt` beside `a.jpg`) are the folder's; `character.yaml` in it may say model, trigger and
training. A folder that changes later is the next version of the same character.
"""

import base64
import hashlib
import io
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from jobs import aws, items, s3_keys
from jobs.casting import Casting
from jobs.character import CharacterBody
from jobs.drop.entries import FileError
from jobs.drop.receipt import ReceiptError
from jobs.errors import CharacterNotFound, RequestError
from jobs.job import DEFAULT_OWNER, Source
from jobs.limits import LimitReached
from jobs.parsing import request_error
from jobs.pictures import MAX_UNPACKED_BYTES, PICTURE_SUFFIXES

PREFIX = f"{s3_keys.INBOX}characters/"
SETTINGS_FILE = "character.yaml"
QUIET_S = 60.0
CLAIM_S = 900  # a sweep that died over a folder leaves it for so long
MAX_FILES = 200


class CharacterReceipt(BaseModel):
    """What became of a folder, as it was when nothing had come for a minute; `state` is a digest of its files."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal["1"] = "1"
    folder: str
    state: str
    status: Literal["accepted", "rejected"]
    character_id: str | None = None
    character_version: int | None = None
    error: ReceiptError | None = None


@dataclass(frozen=True)
class _File:
    key: str
    etag: str
    bytes: int
    modified_at: float

    @property
    def name(self) -> str:
        return PurePosixPath(self.key).name


@dataclass(frozen=True, kw_only=True)
class CharacterFolders:
    """Takes quiet folders in."""

    casting: Casting
    bucket: str
    table: str

    def take_quiet(self, now: float) -> list[CharacterReceipt]:
        """Look at every folder once. Returns the receipts that were written."""
        taken = []
        for folder, files in sorted(self._folders().items()):
            if max(file.modified_at for file in files) > now - QUIET_S:
                continue
            state = hashlib.sha256("\0".join(f"{each.key} {each.etag}" for each in files).encode()).hexdigest()
            before = self._receipt(folder)
            if (before is None or before.state != state) and self._claim(folder, state, now):
                taken.append(self._take(folder, files, state, before))
        return taken

    def _folders(self) -> dict[str, list[_File]]:
        found: dict[str, list[_File]] = defaultdict(list)
        for page in aws.s3().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=PREFIX):
            for item in page.get("Contents", []):
                folder = _folder(item["Key"])
                if folder is not None:
                    modified_at = item["LastModified"].timestamp()
                    found[folder].append(_File(item["Key"], item["ETag"].strip('"'), item["Size"], modified_at))
        return found

    def _take(self, folder: str, files: list[_File], state: str, before: CharacterReceipt | None) -> CharacterReceipt:
        known = before.character_id if before is not None else None
        try:
            receipt = self._accept(folder, files, state, known)
        except (RequestError, LimitReached) as error:
            param = error.param if isinstance(error, RequestError) else None
            code = error.code if isinstance(error, RequestError) else f"{error.limit}_reached"
            shown = ReceiptError(message=error.message, param=param, code=code)
            receipt = CharacterReceipt(folder=folder, state=state, status="rejected", character_id=known, error=shown)
        body = receipt.model_dump_json(indent=2).encode()
        aws.s3().put_object(Bucket=self.bucket, Key=_receipt_key(folder), Body=body, ContentType="application/json")
        return receipt

    def _accept(self, folder: str, files: list[_File], state: str, known: str | None) -> CharacterReceipt:
        body = self._body(folder, files)
        source = Source(door="drop_folder", bucket=self.bucket, key=f"{PREFIX}{folder}/")
        try:
            if known is None:
                raise CharacterNotFound(folder)
            character = self.casting.renew(known, body, owner=DEFAULT_OWNER, source=source)
        except CharacterNotFound:  # it is new, or was deleted since
            character = self.casting.create(body, owner=DEFAULT_OWNER, source=source)
        number = character.newest.number if character.newest is not None else None
        return CharacterReceipt(
            folder=folder, state=state, status="accepted", character_id=character.id, character_version=number
        )

    def _body(self, folder: str, files: list[_File]) -> CharacterBody:
        """The folder as a request. Raises RequestError."""
        if len(files) > MAX_FILES or sum(file.bytes for file in files) > MAX_UNPACKED_BYTES:
            raise RequestError(
                f"The folder has too much in it: up to {MAX_FILES} files and {MAX_UNPACKED_BYTES} bytes are taken.",
                code="folder_too_large",
            )
        raw: dict[str, Any] = {"name": folder}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for file in files:
                data = aws.s3().get_object(Bucket=self.bucket, Key=file.key)["Body"].read()
                if file.name == SETTINGS_FILE:
                    raw |= _settings(data)
                elif PurePosixPath(file.name.lower()).suffix in PICTURE_SUFFIXES | {".txt"}:
                    archive.writestr(file.key.removeprefix(f"{PREFIX}{folder}/"), data)
                else:
                    message = f"'{file.name}' is neither a picture, a caption (.txt) nor {SETTINGS_FILE}."
                    raise RequestError(message, param=file.name, code="unknown_file")
        raw["archive"] = "data:application/zip;base64," + base64.b64encode(packed.getvalue()).decode()
        try:
            # The archive is ours and may be longer than what a request may hold.
            return CharacterBody.model_validate({**raw, "archive": "-"}).model_copy(update={"archive": raw["archive"]})
        except ValidationError as error:
            raise request_error(error) from error

    def _receipt(self, folder: str) -> CharacterReceipt | None:
        key = _receipt_key(folder)
        if not aws.exists(self.bucket, key):
            return None
        return CharacterReceipt.model_validate_json(aws.s3().get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def _claim(self, folder: str, state: str, now: float) -> bool:
        """Whether this sweep is the one that takes the folder in this state: two may run at once."""
        digest = hashlib.sha256(f"{folder}\0{state}".encode()).hexdigest()
        item = {**items.drop_key(digest), "expires_at": int(now + CLAIM_S)}
        client = aws.dynamodb()
        try:
            client.put_item(
                TableName=self.table,
                Item=items.marshal(item),
                ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
                ExpressionAttributeValues=items.marshal({":now": int(now)}),
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def is_characters(key: str) -> bool:
    """Whether a dropped object belongs to a character's folder: no prompt file. One beside the folders is a file like
    any other of the inbox, and gets its receipt."""
    return key.startswith(PREFIX) and _folder(key) is not None


def _folder(key: str) -> str | None:
    """The folder that a key below `inbox/characters/` is in, if it is in one."""
    folder, _, name = key.removeprefix(PREFIX).partition("/")
    return folder if folder and name else None


def _receipt_key(folder: str) -> str:
    return f"{s3_keys.OUTBOX}characters/{folder}/character.receipt.json"


def _settings(data: bytes) -> dict[str, Any]:
    """What `character.yaml` says. Raises RequestError."""
    from jobs.drop.parse import decode  # with yaml, which only a folder that has settings pays for
    from jobs.drop.yaml_files import load_items

    try:
        found = load_items(decode(data))
    except FileError as unreadable:
        raise _bad_settings(unreadable.error) from unreadable
    values = found[0][1] if len(found) == 1 else None
    if isinstance(values, RequestError) and values.code == "invalid_yaml":
        raise _bad_settings(values)
    allowed = {"name", "model", "trigger", "training"}
    if not isinstance(values, dict) or not set(values) <= allowed:
        message = f"{SETTINGS_FILE} has the fields {', '.join(sorted(allowed))}."
        raise RequestError(message, param=SETTINGS_FILE, code="unknown_parameter")
    return values


def _bad_settings(why: RequestError) -> RequestError:
    return RequestError(f"{SETTINGS_FILE}: {why.message}", param=SETTINGS_FILE, code=why.code)
