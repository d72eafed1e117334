"""The operator's commands for API keys: `python -m jobs.keys create|list|revoke|audit` (needs `REVALIDA_TABLE`)."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from jobs.audit import AuditTrail
from jobs.keys import DEFAULT_SCOPES, KeyNotFound, KeyStore, Scope
from jobs.limits import Limits
from jobs.usage import UsageStore

AUDIT_SHOWN = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status. A new key goes to the standard output, this once; all else is JSON, a line each."""
    options = _parser().parse_args(arguments)
    table = os.environ["REVALIDA_TABLE"]
    try:
        for line in options.run(table, options):
            sys.stdout.write(line + "\n")
    except KeyNotFound:
        sys.stderr.write(f"{options.owner} has no key {options.id}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs.keys", description="API keys.")
    commands = parser.add_subparsers(required=True)
    create = _command(commands, "create", _create, "make a key and print it, this once")
    create.add_argument("--name", required=True, help="what the key is for")
    create.add_argument("--scope", action="append", type=Scope, choices=list(Scope), help="may be repeated")
    create.add_argument("--requests-per-minute", type=int)
    create.add_argument("--max-concurrent-jobs", type=int)
    create.add_argument("--max-daily-jobs", type=int)
    create.add_argument("--monthly-budget-usd", type=float)
    _command(commands, "list", _list, "an owner's keys, with what they used")
    for name, run, text in (("revoke", _revoke, "end a key at once"), ("audit", _audit, "what a key was used for")):
        _command(commands, name, run, text).add_argument("--id", required=True, help="`key_...`, as `list` shows it")
    return parser


def _command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text)
    command.add_argument("--owner", required=True, help="whose jobs the key makes and sees")
    command.set_defaults(run=run)
    return command


def _create(table: str, options: argparse.Namespace) -> list[str]:
    limits = Limits(**{name: getattr(options, name) for name in Limits.model_fields})
    scopes = tuple(options.scope or DEFAULT_SCOPES)
    return [KeyStore(table).create(owner=options.owner, name=options.name, scopes=scopes, limits=limits)]


def _list(table: str, options: argparse.Namespace) -> list[str]:
    usage = UsageStore(table)
    return [
        json.dumps({**record.model_dump(mode="json"), "usage": usage.usage(record.id).model_dump()})
        for record in KeyStore(table).of_owner(options.owner)
    ]


def _revoke(table: str, options: argparse.Namespace) -> list[str]:
    return [KeyStore(table).revoke_named(options.owner, options.id).model_dump_json()]


def _audit(table: str, options: argparse.Namespace) -> list[str]:
    record = KeyStore(table).named(options.owner, options.id)
    return [entry.model_dump_json() for entry in AuditTrail(table).read(record.id, limit=AUDIT_SHOWN)]
