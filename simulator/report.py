"""A comparison for eyes: the table, and the sentence under it."""

from rich import box
from rich.console import Console
from rich.table import Table

from simulator.compare import Comparison
from simulator.result import Result

COLUMNS = ("policy", "US$", "p50", "p95", "p99", "busy", "idle", "lost h", "most")


def row(one: Result) -> tuple[str, ...]:
    """A result in the words of COLUMNS."""
    return (
        one.policy,
        f"{one.usd_per_video:.3f}",
        f"{one.p50_s / 60:.0f}",
        f"{one.p95_s / 60:.1f}",
        f"{one.p99_s / 60:.1f}",
        f"{one.busy_share:.0%}",
        f"{one.idle_share:.0%}",
        f"{one.lost_h:.1f}",
        str(one.most_instances),
    )


def print_comparison(found: Comparison, console: Console) -> None:
    """All policies, then ours against its rival."""
    demand = found.scenario.demand
    count = found.results[0].videos
    title = f"{count:,} videos, {demand.pattern}, {demand.videos_per_hour:g} an hour, seed {found.scenario.seed}"
    caption = "US$ per video; latency in minutes; lost: slot-hours of work thrown away; most: instances at once"
    table = Table(title=title, caption=caption, box=box.SIMPLE, pad_edge=False)
    rows = [row(one) for one in found.results]
    table.add_column(COLUMNS[0], overflow="fold")
    for number, name in enumerate(COLUMNS[1:], start=1):  # on a narrow terminal a name may be broken, a figure never
        width = max(len(cells[number]) for cells in (COLUMNS, *rows))
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    for cells in rows:
        table.add_row(*cells)
    console.print(table)
    if found.saving is not None and found.p95_ratio is not None:
        console.print(
            f"ours against {found.rival}: {found.saving:.1%} less cost per video, p95 {found.p95_ratio:.3f} of its own",
            highlight=False,
        )
