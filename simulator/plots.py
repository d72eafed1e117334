"""A comparison as pictures: cost against p95, and where the rented hours went."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from simulator.compare import Comparison

PARTS = (("busy_share", "computing"), ("lost_share", "lost"), ("load_share", "loading"), ("boot_share", "booting"))


def draw(found: Comparison, folder: Path, form: str) -> list[Path]:
    """Write `cost-latency` and `slot-hours` into the folder, which is made, as `png` or `svg`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in (("cost-latency", _cost_latency(found)), ("slot-hours", _slot_hours(found))):
        path = folder / f"{name}.{form}"
        # The same comparison makes the same bytes: no date, no random ids.
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        with rc_context({"svg.hashsalt": "revalida"}):
            figure.savefig(path, format=form, metadata=metadata, bbox_inches="tight")
        files.append(path)
    return files


def _cost_latency(found: Comparison) -> Figure:
    figure = Figure(figsize=(7.0, 4.2))
    axes = figure.subplots()
    for number, one in enumerate(found.results):
        axes.scatter(
            one.p95_s / 60, one.usd_per_video, color=f"C{number}", s=70 if number == 0 else 35, label=one.policy
        )
    axes.set_xlabel("p95 latency (min)")
    axes.set_ylabel("US$ per video")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    return figure


def _slot_hours(found: Comparison) -> Figure:
    figure = Figure(figsize=(7.0, 4.2))
    axes = figure.subplots()
    names = [one.policy for one in found.results][::-1]
    left = [0.0] * len(names)
    for field, label in (*PARTS, ("idle_share", "idle")):
        shares = [getattr(one, field) * one.usd_per_video for one in found.results][::-1]
        axes.barh(names, shares, left=left, label=label)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axes.set_xlabel("US$ per video, by what the rented hours went into")
    axes.tick_params(axis="y", labelsize=7)
    axes.legend(fontsize=7)
    return figure
