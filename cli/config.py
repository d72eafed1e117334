"""Where the API is and by which key: flags, then the environment, then files.

A key goes only to the address that stands beside it; one that stands alone goes to whatever address is chosen.
`--api-base` never sends a file's key to another host.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from cli.exits import CliError, Exit, usage

PROJECT_FILE = Path(".local") / "stack.json"  # what `make run` writes
_NAMES = ("api_base", "api_key")
_OPERATOR = ("media_bucket", "table", "region", "aws_endpoint", "queue_prefix", "stack")
CONFIG_KEYS = (*_NAMES, *_OPERATOR)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place that may say where the API is. `name` is for people."""

    name: str
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    operator: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What holds. `api_base` ends in `/v1`, without a slash; `operator` has what the AWS commands need."""

    api_base: str
    api_key: str = field(repr=False)
    base_from: str
    key_from: str


def config_path() -> Path:
    """`$REVALIDA_CONFIG`, or `revalida/config.toml` in the user's configuration folder."""
    named = os.environ.get("REVALIDA_CONFIG")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "revalida" / "config.toml"


def sources(flags: Source, *, profile: str | None) -> list[Source]:
    """Every place that is asked, the one that wins first. Raises CliError for a file that cannot be read."""
    return [
        flags,
        _environment(),
        *_config_file(profile or os.environ.get("REVALIDA_PROFILE")),
        *_project(),
        *_openai(),
    ]


def choose(found: list[Source]) -> Config:
    """The address of the first source that names one, and the first key that may go there. Raises CliError."""
    base = next((source for source in found if source.api_base), None)
    if base is None or base.api_base is None:
        hint = "set REVALIDA_API_BASE and REVALIDA_API_KEY, or run `make run` and stay in the project's folder"
        raise usage("No API address is configured", hint=hint)
    key = next((source for source in found if source.api_key and source.api_base in (None, base.api_base)), None)
    if key is None or key.api_key is None:
        message = f"No API key is configured for {base.api_base} (from {base.name})"
        raise CliError(message, Exit.AUTH, hint="set REVALIDA_API_KEY, or api_key beside api_base in the file")
    _check_address(base.api_base)
    return Config(api_base=base.api_base, api_key=key.api_key, base_from=base.name, key_from=key.name)


def operator_value(found: list[Source], name: str) -> str | None:
    """The first source's word on a resource of the deployment."""
    return next((source.operator[name] for source in found if name in source.operator), None)


def normal_base(address: str) -> str:
    """The address as it is used: with `/v1`, which the stack's output `ApiUrl` does not have."""
    bare = address.strip().rstrip("/")
    return bare if bare.endswith("/v1") else f"{bare}/v1"


def _check_address(base: str) -> None:
    if not base.startswith(("http://", "https://")):
        raise usage(f"'{base}' is no address of an API", hint="begin it with https://")


def _source(name: str, values: Mapping[str, Any]) -> Source:
    for key in CONFIG_KEYS:
        if key in values and not isinstance(values[key], str):
            raise usage(f"'{key}' in {name} must be a text", hint=f"put it in quotes in {name}")
    base = values.get("api_base")
    return Source(
        name=name,
        api_base=normal_base(base) if base else None,
        api_key=values.get("api_key") or None,
        operator={key: values[key] for key in _OPERATOR if values.get(key)},
    )


def _environment() -> Source:
    values = {name: os.environ.get(f"REVALIDA_{name.upper()}") for name in CONFIG_KEYS}
    values["region"] = values["region"] or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    values["aws_endpoint"] = values["aws_endpoint"] or os.environ.get("AWS_ENDPOINT_URL")
    return _source("the environment", {name: value for name, value in values.items() if value})


def _config_file(profile: str | None) -> Iterator[Source]:
    """The profile's table laid over what stands above all tables."""
    path = config_path()
    if not path.is_file():
        if profile:
            raise usage(f"There is no profile '{profile}': {path} does not exist", hint=f"write {path} (docs/cli.md)")
        return
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise usage(f"{path} cannot be read: {error}", hint=f"correct {path}") from error
    if path.stat().st_mode & 0o077 and os.name == "posix":
        typer.echo(f"warning: {path} can be read by others; run: chmod 600 {path}", err=True)
    profiles = values.get("profiles", {})
    if not profile:
        yield _source(str(path), values)
        return
    if not isinstance(profiles, dict) or not isinstance(profiles.get(profile), dict):
        raise usage(f"There is no profile '{profile}' in {path}", hint=f"add [profiles.{profile}] to {path}")
    yield _source(f"profile {profile} of {path}", {**values, **profiles[profile]})


def _project() -> Iterator[Source]:
    """The local system's file, when the command runs inside the project. `REVALIDA_LOCAL_DIR` moves it, as there."""
    named = os.environ.get("REVALIDA_LOCAL_DIR")
    if named:
        candidates = [Path(named) / PROJECT_FILE.name]
    else:
        here = Path.cwd()
        candidates = [folder / PROJECT_FILE for folder in (here, *here.parents) if (folder / "cdk.json").is_file()]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is not None:
        try:
            yield _source(str(path), json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise usage(f"{path} cannot be read: {error}", hint="start the local system again") from error


def _openai() -> Iterator[Source]:
    """The SDK's own variables, last and only together: a key for another service must not come here."""
    base, key = os.environ.get("OPENAI_BASE_URL"), os.environ.get("OPENAI_API_KEY")
    if base and key:
        yield _source("OPENAI_BASE_URL", {"api_base": base, "api_key": key})
