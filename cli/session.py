"""What every command has in common: the options for address, key and form of the answer, and how errors end."""

import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from rich.console import Console, RenderableType

from cli.api import Api, to_stderr
from cli.config import Config, Source, choose, normal_base, operator_value, sources
from cli.exits import CliError, Exit, usage

P = ParamSpec("P")
_PIPED_WIDTH = 140  # columns, where no terminal says how many there are


def _option(*names: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel="Connection and output")


# Name: annotation and default, as in the signature that Typer reads.
_COMMON: dict[str, tuple[Any, Any]] = {
    "as_json": (Annotated[bool, _option("--json", help="Print JSON, and nothing else, on stdout.")], False),
    "verbose": (Annotated[bool, _option("--verbose", "-v", help="Show each exchange, with its request id.")], False),
    "api_base": (Annotated[str | None, _option("--api-base", help="Address of the API.", metavar="URL")], None),
    "api_key": (
        Annotated[
            str | None, _option("--api-key", help="Better in REVALIDA_API_KEY: flags can be seen.", metavar="KEY")
        ],
        None,
    ),
    "profile": (Annotated[str | None, _option("--profile", help="Profile of the file.", metavar="NAME")], None),
}


@dataclass(kw_only=True)
class Session:
    """One run of a command."""

    as_json: bool = False
    verbose: bool = False
    api_base: str | None = None
    api_key: str | None = None
    profile: str | None = None

    @cached_property
    def _sources(self) -> list[Source]:
        base = None if self.api_base is None else normal_base(self.api_base)
        return sources(Source(name="the flags", api_base=base, api_key=self.api_key), profile=self.profile)

    @cached_property
    def config(self) -> Config:
        """Address and key. Raises CliError."""
        return choose(self._sources)

    @cached_property
    def api(self) -> Api:
        """The client. Raises CliError if nothing is configured."""
        return Api(self.config, log=to_stderr if self.verbose else _unheard)

    def resource(self, name: str) -> str | None:
        """A resource of the deployment (`media_bucket`, `table`, ...), for the operator's commands."""
        return operator_value(self._sources, name)

    def close(self) -> None:
        if "api" in self.__dict__:
            self.api.close()

    def emit(self, value: Any, *shown: RenderableType) -> None:
        """The command's answer: `value` as JSON if asked for, else what is `shown`."""
        if self.as_json:
            typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
            return
        for each in shown:
            out().print(each)

    def note(self, line: str) -> None:
        """A word on the way, for people: on stderr, so that pipes stay clean."""
        err().print(line, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def leaving(self, line: str) -> Iterator[None]:
        """Ctrl-C in here ends the waiting and not the work: `line` says how to come back."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            self.note(line)
            raise typer.Exit(Exit.INTERRUPTED) from interrupt


def _unheard(_line: str) -> None:
    """Without --verbose."""


def out() -> Console:
    return Console(highlight=False, width=_width(sys.stdout), soft_wrap=False)


def err() -> Console:
    return Console(stderr=True, highlight=False, width=_width(sys.stderr))


def _width(stream: Any) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH


def with_session(function: Callable[Concatenate[Session, P], None]) -> Callable[..., None]:
    """The function as a command: its own parameters and the common ones; a CliError ends it with its exit code."""
    return _command(function, _COMMON)


def offline(function: Callable[Concatenate[Session, P], None]) -> Callable[..., None]:
    """As `with_session`, for a command that asks no API: of the common options it has `--json` alone."""
    return _command(function, {"as_json": _COMMON["as_json"]})


def _command(
    function: Callable[Concatenate[Session, P], None], options: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    own = list(inspect.signature(function).parameters.values())[1:]
    groups: dict[str, Any] = {each.name: each.annotation for each in own if is_dataclass(each.annotation)}
    common = [_keyword(name, annotation, default) for name, (annotation, default) in options.items()]

    def command(*args: Any, **kwargs: Any) -> None:
        session = Session(**{name: kwargs.pop(name) for name in options})
        for name, group in groups.items():
            kwargs[name] = group(**{each.name: kwargs.pop(each.name) for each in fields(group)})
        run(session, lambda: function(session, *args, **kwargs))

    named = [one for each in own for one in _flat(each)]
    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*named, *common)}
    command.__signature__ = inspect.Signature([*named, *common])  # type: ignore[attr-defined]
    return command


def _flat(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """The parameter itself; of a dataclass, whose options several commands share, each of its fields."""
    if is_dataclass(parameter.annotation):
        return [_keyword(each.name, each.type, each.default) for each in fields(parameter.annotation)]
    return [_keyword(parameter.name, parameter.annotation, parameter.default)]


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def run(session: Session, work: Callable[[], None]) -> None:
    """Do the work, and end as it ends."""
    try:
        work()
    except CliError as error:
        report(error, as_json=session.as_json, verbose=session.verbose)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as interrupt:
        session.note("Stopped.")
        raise typer.Exit(Exit.INTERRUPTED) from interrupt
    finally:
        session.close()


def report(error: CliError, *, as_json: bool, verbose: bool) -> None:
    """One line on stderr: for people, or as JSON."""
    if as_json:
        told = {"message": error.message, "param": error.param, "code": error.code, "next": error.hint}
        body = {**told, "exit_code": int(error.exit_code), "request_id": error.request_id}
        typer.echo(json.dumps({"error": body}, ensure_ascii=False), err=True)
        return
    line = f"revalida: {error.line}"
    if verbose and error.request_id:
        line += f" (request id {error.request_id})"
    typer.echo(line, err=True)


def require(value: str | None, what: str, hint: str) -> str:
    """The value, or the end. Raises CliError."""
    if not value:
        raise usage(f"{what} is not configured", hint=hint)
    return value
