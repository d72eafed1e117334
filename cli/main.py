"""The ``revalida`` command: each subcommand stands in a module of its own and is registered here."""

import typer

from cli import characters, dead_letters, keys, webhooks, weights
from cli.batch import batch
from cli.costs import costs
from cli.doctor.command import doctor
from cli.drop import drop
from cli.group import Commands
from cli.report import report
from cli.simulate import simulate
from cli.studio import fleet, models
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


for command in (submit, batch, drop, remix, extend, edit):
    app.command(rich_help_panel="Make")(command)
app.command("list", rich_help_panel="Follow")(list_videos)
for command in (show, watch, download, cancel, delete):
    app.command(rich_help_panel="Follow")(command)
for command in (models, costs):
    app.command(rich_help_panel="Plan")(command)
app.add_typer(characters.app, name="characters", rich_help_panel="Make")
app.command(rich_help_panel="Operate")(fleet)
for name, group in (("keys", keys.app), ("webhooks", webhooks.app), ("dead-letters", dead_letters.app)):
    app.add_typer(group, name=name, rich_help_panel="Operate")
app.add_typer(weights.app, name="weights", rich_help_panel="Operate")
app.command(rich_help_panel="Plan")(simulate)
for command in (report, doctor):
    app.command(rich_help_panel="Operate")(command)

if __name__ == "__main__":
    app()
