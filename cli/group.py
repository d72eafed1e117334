"""The group of commands, with the errors of the command line itself on one line as all others are."""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli.exits import Exit


class Commands(TyperGroup):
    """As Typer's, but `revalida: <what is wrong>. Next: revalida <command> --help` instead of a box."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; in standalone mode this exits."""
        given = {"complete_var": complete_var, "windows_expand_args": windows_expand_args, **extra}
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **given)
        try:
            code = super().main(args, prog_name, standalone_mode=False, **given)
        except TyperException as error:
            sys.exit(_say(error))
        except typer.Abort:
            sys.exit(Exit.INTERRUPTED)
        except BrokenPipeError:
            # Whoever read the output has seen enough (`revalida list | head`).
            sys.stdout = None
            sys.exit(Exit.OK)
        sys.exit(code if isinstance(code, int) else Exit.OK)


def _say(error: TyperException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message())
        return Exit.USAGE
    path = "revalida" if context is None else context.command_path
    typer.echo(f"{path}: {' '.join(error.format_message().split()).rstrip('.')}. Next: {path} --help", err=True)
    return Exit.USAGE
