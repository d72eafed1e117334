"""The plots of docs/desempenho.md, as SVG that is the same byte for byte whenever it is drawn from the same results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.ticker import ScalarFormatter

from bench.record import Row, Section

PLOT_DIR = Path(__file__).parents[1] / "docs" / "img"
_STYLE = Path(__file__).parents[1] / "knowledge" / "plots.mplstyle"
_OURS, _STOCK = "#1565c0", "#9e9e9e"


class Plot(NamedTuple):
    """Horizontal bars of what `value_of` finds in the rows, beside a line at 1."""

    file: str
    title: str
    value_of: Callable[[Row], float | None]
    scale: str


PLOTS = (
    Plot(
        "desempenho-vezes.svg",
        "Vezes a velocidade do padrão do diffusers (cinza), na mesma execução, escala logarítmica",
        lambda row: row.speedup,
        "log",
    ),
    Plot("desempenho-teto.svg", "Fração do teto da máquina, na mesma execução", lambda row: row.of_ceiling, "linear"),
)


def write(sections: Sequence[Section], plot_dir: Path = PLOT_DIR) -> list[Path]:
    """Draws every plot that has something to show; returns the files written."""
    plot_dir.mkdir(parents=True, exist_ok=True)
    rows = [row for section in sections for row in section.rows]
    return [plot_dir / plot.file for plot in PLOTS if _draw(plot, rows, plot_dir / plot.file)]


def _draw(plot: Plot, rows: Sequence[Row], path: Path) -> bool:
    bars = [(row, plot.value_of(row)) for row in reversed(rows)]
    shown = [(row, value) for row, value in bars if value is not None]
    if not shown:
        return False
    with matplotlib.rc_context(fname=_STYLE):
        figure, axes = plt.subplots(figsize=(9, 1 + 0.22 * len(shown)))
        colours = [_STOCK if "stock" in row.variant or row.variant == "from_pretrained" else _OURS for row, _ in shown]
        drawn = axes.barh(range(len(shown)), [value for _, value in shown], color=colours)
        axes.set_xscale(plot.scale)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_yticks(range(len(shown)), [f"{row.what}: {row.variant}" for row, _ in shown], fontsize=7)
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.axvline(1.0, color="#c62828", linewidth=1)
        axes.bar_label(drawn, fmt="%.2f", fontsize=7, padding=2)
        axes.set_title(plot.title, loc="right")
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return True
