"""What a function's role lets it do, by the reviewed template; the fake AWS of the tests asks for no rights."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

SNAPSHOT = Path(__file__).resolve().parents[2] / "template" / "snapshots" / "production.json"
_HANDLER = re.compile(r"lambdas/(\w+)/handler\.py$")
_IN_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
# Where the action that IAM asks for is not named like the call.
_S3_ACTIONS = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}


class Right(NamedTuple):
    """An action, and on which index of the table or which object of the bucket (empty: on all of either)."""

    action: str
    on: str = ""


def calling_function() -> str | None:
    """Name of the function whose handler is at work, by the stack."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        found = _HANDLER.search(frame.f_code.co_filename)
        if found and frame.f_code.co_name == "handler":
            return found[1]
    return None


def needed(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Right]:
    """The rights that a call of boto3 needs."""
    if operation == "TransactWriteItems":
        yield from (Right(f"dynamodb:{_IN_TRANSACTIONS[kind]}") for item in params["TransactItems"] for kind in item)
    elif service == "dynamodb":
        yield Right(f"dynamodb:{operation}", f"index/{params['IndexName']}" if "IndexName" in params else "")
    elif operation == "CopyObject":
        yield Right("s3:GetObject", _copied(params["CopySource"]))
        yield Right("s3:PutObject", params["Key"])
    elif operation == "DeleteObjects":
        yield from (Right("s3:DeleteObject", each["Key"]) for each in params["Delete"]["Objects"])
    elif service == "s3":
        version = "Version" if "VersionId" in params else ""
        yield Right(f"s3:{_S3_ACTIONS.get(operation, operation)}{version}", params.get("Key", ""))
    else:
        yield Right(f"{service}:{operation}")


def _copied(source: str | Mapping[str, str]) -> str:
    return source["Key"] if isinstance(source, Mapping) else unquote(source).split("/", 1)[1]


def is_granted(function: str, right: Right) -> bool:
    """Whether the function's role has the right."""
    return any(right.action == action and fnmatchcase(right.on, on) for action, on in _granted()[function])


@cache
def _granted() -> dict[str, list[Right]]:
    """Rights by function; what they are on may have wildcards."""
    granted: dict[str, list[Right]] = {}
    for name, resource in json.loads(SNAPSHOT.read_text("utf-8"))["Resources"].items():
        if resource["Type"] == "AWS::IAM::Policy" and "RoleDefaultPolicy" in name:
            function = re.sub(r"(?<!^)(?=[A-Z])", "_", name.split("RoleDefaultPolicy")[0]).lower()
            granted[function] = [
                Right(action, on)
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]
                for action in _listed(statement["Action"])
                for on in map(_within, _listed(statement["Resource"]))
            ]
    return granted


def _within(resource: Any) -> str:
    """The part of a resource below the table or the bucket (`index/*`, `videos/*`); nothing for whole resources."""
    if resource == "*" or "Fn::Join" not in resource:
        return ""
    whole, *below = resource["Fn::Join"][1]
    return "" if isinstance(whole, str) else "".join(below).removeprefix("/")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
