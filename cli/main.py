"""The ``revalida`` command: each subcommand stands in a module of its own and is registered here."""

import typer

from cli.costs import costs

app = typer.Typer(
    name="revalida",
    help="Client and operator's tool of the self-hosted video studio.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def main() -> None:
    """Keeps ``revalida`` a group of commands, however few are registered."""


app.command()(costs)

if __name__ == "__main__":
    app()
