"""``python -m knowledge render|plots|diagram|check``: what ``make docs`` runs."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from knowledge import plots, prose, render
from knowledge.diagram import mermaid
from knowledge.load import ROOT, load
from knowledge.review import findings

app = typer.Typer(help="Render and check the documents that compute their own numbers.", no_args_is_help=True)


@app.command("render")
def render_documents() -> None:
    """Write the documents from docs/modelos and docs/dados."""
    for path in render.write(load()):
        typer.echo(path.relative_to(ROOT))


@app.command("plots")
def draw_plots() -> None:
    """Draw the plots into docs/img."""
    for path in plots.write(load()):
        typer.echo(path.relative_to(ROOT))


@app.command()
def diagram(assembly: Annotated[Path, typer.Argument(help="Folder of `cdk synth`.")] = ROOT / "cdk.out") -> None:
    """Draw the architecture from the synthesised template into docs/dados."""
    render.DIAGRAM.write_text(mermaid(assembly), encoding="utf-8")
    typer.echo(render.DIAGRAM.relative_to(ROOT))


@app.command()
def check(on: Annotated[datetime | None, typer.Option(help="Day to judge ages by; today if left out.")] = None) -> None:
    """Stale documents, numbers typed into prose, figures without a living source. Exit 1 if there is any."""
    known = load()
    day = (on or datetime.now(UTC)).date()
    problems = [str(finding) for finding in findings(known, day)]
    problems += [f"{name}: stale, run `make docs`" for name in render.stale(known)]
    for template in render.DOCUMENTS:
        text = Path(render.TEMPLATE_DIR / template).read_text(encoding="utf-8")
        problems += [f"{template} {found}" for found in prose.typed_numbers(text)]
    for problem in problems:
        typer.echo(problem, err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    app()
