"""The plots of the analysis, as SVG that is the same byte for byte whenever it is drawn from the same data."""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from knowledge.cases import Case, running_of, scenario_case
from knowledge.data import Knowledge
from knowledge.formats import number, usd
from knowledge.load import ROOT

PLOT_DIR = ROOT / "docs" / "img"
OWN, OTHER, ENDED, LIMIT = "#1565c0", "#ef6c00", "#9e9e9e", "#c62828"
_STYLE = Path(__file__).with_name("plots.mplstyle")


def cost_per_video(known: Knowledge, axes: Axes) -> None:
    """US$ for each second of video: every reference video here, every service there."""
    bars: list[tuple[str, float, str]] = []
    for scenario in known.scenarios:
        found = scenario_case(known, scenario, known.instance(known.default_instance))
        if isinstance(found, Case):
            bars.append((scenario.label, found.cost.usd / found.video_s, OWN))
    for service in known.services:
        colour = OTHER if service.active else ENDED
        bars.append((f"{service.name}, {service.resolution}", service.usd_a_second(), colour))
    bars.sort(key=lambda bar: (bar[1], bar[0]))
    positions = range(len(bars))
    axes.barh(positions, [bar[1] for bar in bars], color=[bar[2] for bar in bars])
    axes.set_yticks(positions, [bar[0] for bar in bars])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: usd(value)))
    for position, bar in zip(positions, bars, strict=True):
        axes.annotate(
            usd(bar[1]), (bar[1], position), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7
        )
    axes.set_xlabel("US$ por segundo de vídeo, escala logarítmica")
    axes.set_title(
        f"Custo do segundo de vídeo: {known.default_instance} Spot (azul), serviços (laranja), encerrados (cinza)",
        loc="right",
    )


def break_even(known: Knowledge, axes: Axes) -> None:
    """Monthly cost by volume: one's own system on each instance type against some services."""
    scenario = known.scenario(known.main_scenario)
    volumes = [10 ** (exponent / 20) for exponent in range(20, 91)]
    fixed = running_of(known.assumptions).fixed_usd_month
    length_s = 0.0
    for instance in known.instances:
        found = scenario_case(known, scenario, instance)
        if isinstance(found, Case) and instance.in_default_quota:
            length_s = found.video_s
            axes.plot(volumes, [fixed / volume + found.cost.usd for volume in volumes], label=f"aqui, {instance.type}")
    _service_lines(known, axes, length_s)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: usd(value)))
    axes.set_xlabel("vídeos por mês")
    axes.set_ylabel("US$ por vídeo")
    axes.set_title(f"Ponto de equilíbrio: {scenario.label}")
    axes.legend(fontsize=8)


def _service_lines(known: Knowledge, axes: Axes, length_s: float) -> None:
    """A line for each price; services of one price share it. Labels alternate in place, to stay apart."""
    names_by_price: dict[float, list[str]] = {}
    for service in known.services:
        if service.active:
            price = round(service.usd_a_second() * length_s, 4)
            names_by_price.setdefault(price, []).append(f"{service.name}, {service.resolution}")
    for index, (price, names) in enumerate(sorted(names_by_price.items())):
        axes.axhline(price, color=OTHER, linewidth=0.6)
        place = (10, 90)[index % 2]
        axes.annotate(" · ".join(names), (place, price), fontsize=6, ha="left", va="bottom")


def memory(known: Knowledge, axes: Axes) -> None:
    """Memory on one GPU: what the makers publish against what our placement needs on the default instance."""
    instance = known.instance(known.default_instance)
    names, published, planned = [], [], []
    for facts in known.models:
        scenario = next(item for item in known.scenarios if item.model == facts.id)
        found = scenario_case(known, scenario, instance)
        names.append(facts.name)
        published.append(facts.published_memory_gib.value)
        planned.append(found.peak_gib if isinstance(found, Case) else 0.0)
    positions = range(len(names))
    axes.bar(
        [position - 0.2 for position in positions], published, width=0.4, color=OTHER, label="publicada pelo autor"
    )
    axes.bar([position + 0.2 for position in positions], planned, width=0.4, color=OWN, label="prevista aqui, por GPU")
    axes.axhline(instance.gpu_gib.value, color=LIMIT, linewidth=1)
    axes.annotate(
        f"uma {instance.gpu}", (-0.4, instance.gpu_gib.value), xytext=(0, 2), textcoords="offset points", color=LIMIT
    )
    axes.set_xticks(positions, names, rotation=20, ha="right")
    axes.set_ylabel("GiB")
    axes.set_title(f"Memória de GPU: o que o autor pede e o que o posicionamento usa numa {instance.type}")
    axes.legend()


PLOTS: Mapping[str, tuple[Callable[[Knowledge, Axes], None], tuple[float, float]]] = {
    "custo-por-video.svg": (cost_per_video, (9, 7.5)),
    "equilibrio.svg": (break_even, (9, 5.5)),
    "memoria.svg": (memory, (9, 4.5)),
}


def draw(name: str, known: Knowledge, path: Path) -> None:
    """Draw one plot of :data:`PLOTS` into a file."""
    paint, size = PLOTS[name]
    with matplotlib.rc_context(fname=_STYLE):
        figure, axes = plt.subplots(figsize=size)
        paint(known, axes)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


def write(known: Knowledge, plot_dir: Path = PLOT_DIR) -> list[Path]:
    """Draw all plots; returns the files written."""
    plot_dir.mkdir(parents=True, exist_ok=True)
    for name in PLOTS:
        draw(name, known, plot_dir / name)
    return [plot_dir / name for name in PLOTS]
