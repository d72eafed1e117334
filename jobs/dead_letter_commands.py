"""The operator's commands: `python -m jobs.dead_letters list|show|redrive|discard`.

They need REVALIDA_TABLE and REVALIDA_QUEUE_PREFIX.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from jobs.dead_letters import DeadLetter, DeadLetters, NoDeadLetter
from jobs.errors import JobNotFound, NotRedrivable
from jobs.queue import JobQueues
from jobs.store import JobStore


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status. Everything shown is JSON, a letter a line."""
    options = _parser().parse_args(arguments)
    letters = DeadLetters(
        store=JobStore(os.environ["REVALIDA_TABLE"]), queues=JobQueues(os.environ["REVALIDA_QUEUE_PREFIX"])
    )
    try:
        for line in options.run(letters, options):
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    except (JobNotFound, NoDeadLetter, NotRedrivable) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs.dead_letters", description="Jobs that killed their workers.")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("list", help="all letters, oldest first").set_defaults(run=_list)
    for name, run, text in (
        ("show", _show, "one letter, with every attempt of its job"),
        ("redrive", _redrive, "queue the job again, its crashes forgiven"),
        ("discard", _discard, "remove the letter, leave the job failed"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("job_id")
        command.set_defaults(run=run)
    return parser


def shown(letter: DeadLetter) -> dict[str, Any]:
    """A letter in a line."""
    return {
        "job_id": letter.job_id,
        "model": letter.model,
        "reason": letter.reason,
        "buried_at": datetime.fromtimestamp(letter.buried_at, UTC).isoformat(timespec="seconds"),
        "status": letter.job.status if letter.job is not None else "deleted",
        "owner": letter.job.owner if letter.job is not None else None,
    }


def _list(letters: DeadLetters, _options: argparse.Namespace) -> list[dict[str, Any]]:
    return [shown(letter) for letter in letters.list()]


def _show(letters: DeadLetters, options: argparse.Namespace) -> list[dict[str, Any]]:
    letter = letters.show(options.job_id)
    attempts = letter.job.attempts if letter.job is not None else ()
    request = letter.job.request.model_dump(mode="json", exclude_defaults=True) if letter.job is not None else None
    told = [attempt.model_dump(mode="json", exclude_none=True) for attempt in attempts]
    return [{**shown(letter), "request": request, "attempts": told}]


def _redrive(letters: DeadLetters, options: argparse.Namespace) -> list[dict[str, Any]]:
    job = letters.redrive(options.job_id)
    return [{"job_id": job.id, "status": job.status, "next_attempt": job.attempt + 1}]


def _discard(letters: DeadLetters, options: argparse.Namespace) -> list[dict[str, Any]]:
    removed = letters.discard(options.job_id)
    if not removed:
        raise NoDeadLetter(options.job_id)
    return [{"job_id": options.job_id, "removed": removed}]
