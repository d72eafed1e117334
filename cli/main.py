"""The ``revalida`` command: each subcommand stands in a module of its own and is registered here."""

import typer

from cli.costs import costs
from cli.group import Commands
from cli.simulate import simulate
from cli.submit import edit, extend, remix, submit
from cli.videos import cancel, delete, download, list_videos, show, watch

app = typer.Typer(
    name="revalida",
    cls=Commands,
    help="Client and operator's tool of the self-hosted video studio.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def main() -> None:
    """Keeps ``revalida`` a group of commands, however few are registered."""


for command in (submit, remix, extend, edit):
    app.command(rich_help_panel="Make")(command)
app.command("list", rich_help_panel="Follow")(list_videos)
for command in (show, watch, download, cancel, delete):
    app.command(rich_help_panel="Follow")(command)
app.command(rich_help_panel="Plan")(costs)
app.command(rich_help_panel="Plan")(simulate)

if __name__ == "__main__":
    app()
