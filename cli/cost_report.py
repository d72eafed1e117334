"""How ``revalida costs`` prints its answers: for eyes, as JSON, as CSV."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from knowledge.cases import Case, NoFit
from knowledge.own_case import Answer, ServiceAgainst, Volume

CSV_CASE = (
    "model", "size", "num_frames", "num_inference_steps", "video_s", "instance", "price_usd_h", "gpus_a_slot", "slots",
    "compute_s", "pflop", "peak_gib",
)  # fmt: skip
CSV_COST = ("videos_h_ideal", "videos_h", "usd_ideal", "usd", "usd_month", "refused")


def as_json(answers: Sequence[Answer | NoFit], *, one: bool) -> str:
    """One object where one model was asked for, else a list."""
    plain = [asdict(answer) for answer in answers]
    return json.dumps(plain[0] if one else plain, indent=2, ensure_ascii=False)


def write_csv(answers: Sequence[Answer | NoFit]) -> None:
    """One line a model; a model that does not fit has its reason in the last column."""
    writer = csv.DictWriter(sys.stdout, [*CSV_CASE, *CSV_COST], restval="", lineterminator="\n")
    writer.writeheader()
    for answer in answers:
        if isinstance(answer, NoFit):
            writer.writerow({"model": answer.model, "instance": answer.instance, "refused": answer.reason})
        else:
            writer.writerow(_csv_row(answer))


def _csv_row(answer: Answer) -> dict[str, object]:
    found, cost = answer.case, answer.case.cost
    row = {column: getattr(found, column) for column in CSV_CASE}
    row |= {"videos_h_ideal": cost.ideal_videos_h, "videos_h": cost.videos_h}
    row |= {"usd_ideal": cost.ideal_usd, "usd": cost.usd}
    row["usd_month"] = "" if answer.volume is None else answer.volume.usd_month
    return {column: round(value, 4) if isinstance(value, float) else value for column, value in row.items()}


def print_all(answers: Sequence[Answer | NoFit]) -> None:
    """One line a model, for eyes."""
    table = Table(title="Cost per video at each model's defaults")
    table.add_column("model", no_wrap=True)
    for head in ("size", "frames", "steps", "seconds", "videos/h", "US$"):
        table.add_column(head, justify="right", no_wrap=True)
    for answer in answers:
        if isinstance(answer, NoFit):
            table.add_row(answer.model, "does not fit", *[""] * 5)
            continue
        found, cost = answer.case, answer.case.cost
        shape = [found.model, found.size, str(found.num_frames), str(found.num_inference_steps)]
        rates = [f"{found.compute_s:,.0f}", f"{cost.videos_h:,.1f}"]
        table.add_row(*shape, *rates, f"{cost.usd:,.3f}")
    Console().print(table)


def print_one(answer: Answer) -> None:
    """One case, for eyes: what it takes, the month, and the services."""
    found = answer.case
    title = f"{found.model}, {found.size}, {found.num_frames} frames, {found.num_inference_steps} steps"
    facts = Table(title=title, show_header=False)
    for name, value in _facts(found, answer.fixed_usd_month).items():
        facts.add_row(name, value)
    if answer.volume is not None:
        facts.add_row(f"{answer.volume.videos_month:,} a month", _month(answer.volume))
    console = Console()
    console.print(facts)
    console.print(_services(answer.services, found.video_s))


def _facts(found: Case, fixed_usd_month: float) -> dict[str, str]:
    parts = f"encode {found.encode_s:,.0f}, denoise {found.denoise_s:,.0f}, decode {found.decode_s:,.0f}"
    workers = f"{found.slots} x {found.gpus_a_slot} GPU"
    cost = found.cost
    return {
        "instance": f"{found.instance} at US$ {found.price_usd_h:.3f} an hour, {workers}",
        "seconds a video": f"{found.compute_s:,.0f} ({parts})",
        "videos an hour": f"{cost.videos_h:,.2f} (at most {cost.ideal_videos_h:,.2f})",
        "cost a video": f"US$ {cost.usd:,.3f} (GPU at full use US$ {cost.ideal_usd:,.3f})",
        "fixed a month": f"US$ {fixed_usd_month:,.0f}",
    }


def _month(month: Volume) -> str:
    money = f"US$ {month.usd_month:,.0f} (US$ {month.usd_a_video:,.3f} each)"
    return f"{money}, {month.instance_hours:,.0f} instance-hours, {month.instances} instances ({month.vcpus} vCPUs)"


def _services(services: Sequence[ServiceAgainst], video_s: float) -> Table:
    table = Table(title=f"The same {video_s:.1f} s at commercial services")
    for head in ("service", "resolution", "US$ there", "cheaper here from"):
        table.add_column(head, justify="left" if head == "service" else "right")
    for against in services:
        volume = against.break_even_videos_month
        where = "ended" if not against.active else "never by price" if volume is None else f"{volume:,.0f} a month"
        table.add_row(against.name, against.resolution, f"{against.usd_there:,.2f}", where)
    return table
