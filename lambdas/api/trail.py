"""The audit trail's writer: each call that is to change something, and each that its key's scope or budget refused."""

import json
from typing import Any

from aws_lambda_powertools import Logger

from jobs import clock
from jobs.audit import AuditEntry, printable
from jobs.keys import ApiKey
from lambdas import services

logger = Logger(child=True)
_READS = {"GET", "HEAD"}
_ALWAYS_KEPT = {402, 403}


def keep(caller: ApiKey | None, event: dict[str, Any], answer: dict[str, Any]) -> None:
    """Write what `caller` did. What was done is not undone if this fails: the log has it then."""
    from botocore.exceptions import BotoCoreError, ClientError

    http = event["requestContext"]["http"]
    status = int(answer["statusCode"])
    if caller is None or (http["method"].upper() in _READS and status not in _ALWAYS_KEPT) or status == 429:
        return
    resource, code = _of_body(answer.get("body") or "")
    entry = AuditEntry(
        at=clock.now(),
        method=http["method"].upper(),
        path=event.get("rawPath", ""),
        status=status,
        source_ip=http.get("sourceIp"),
        resource=resource,
        code=code,
    )
    try:
        services.audit().write(caller.id, entry)
    except (BotoCoreError, ClientError):
        known = {**entry.model_dump(), "path": printable(entry.path), "key_id": caller.id}
        logger.exception("not in the audit trail", extra=known)


def _of_body(body: str) -> tuple[str | None, str | None]:
    """The id of what the answer shows, and an error's code."""
    try:
        shown = json.loads(body)
    except ValueError:
        return None, None
    if not isinstance(shown, dict):
        return None, None
    error = shown.get("error") if isinstance(shown.get("error"), dict) else {}
    return shown.get("id"), (error or {}).get("code")
