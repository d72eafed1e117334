"""`models`, `fleet`: what this deployment can do, and what it does now."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.session import Session, with_session
from cli.text import shortened, span, usd, when


@with_session
def models(
    session: Session,
    model: Annotated[str | None, typer.Argument(help="One model, with all it takes.")] = None,
    runnable: Annotated[bool, typer.Option("--runnable", help="Only what is known to run here.")] = False,
) -> None:
    """The models, and whether this fleet can run them."""
    if model is not None:
        spec = session.api.get(f"/models/{model}").body
        session.emit(spec, _facts(spec))
        return
    found = [spec for spec in session.api.get("/models").body["data"] if spec["runnable"] or not runnable]
    table = Table(box=None, pad_edge=False)
    for name in ("model", "runs here", "makes", "default", "takes", "cost", "licence", "commercial use"):
        # What a person copies stays whole on one line; the words of tasks and terms give way.
        whole = name in {"model", "default", "takes", "cost"}
        table.add_column(name, justify="right" if name in {"takes", "cost"} else "left", no_wrap=whole)
    for spec in found:
        tasks = ", ".join(task.replace("-", " ") for task in spec["tasks"])
        default = f"{spec['default_size']}, {spec['default_num_frames']} frames"
        licence = spec["licence"]
        typical = (span(spec["typical"]["compute_seconds"]), usd(spec["typical"]["cost_usd"]))
        terms = (escape(licence["name"]), licence["commercial_use"])
        table.add_row(spec["id"], escape(_runs(spec)), tasks, default, *typical, *terms)
    session.emit({"object": "list", "data": found}, table)


def _runs(spec: dict[str, Any]) -> str:
    if spec["runnable"] is None:
        return "not known yet"
    return "yes" if spec["runnable"] else f"no: {shortened(spec['reason'] or '', 50)}"


def _facts(spec: dict[str, Any]) -> Table:
    frames = spec["frames"]
    rows = {
        "model": f"{spec['id']} ({spec['title']})",
        "runs here": _runs(spec),
        "tasks": ", ".join(spec["tasks"]),
        "sizes": ", ".join(spec["sizes"]),
        "frames": f"{frames['min']} to {frames['max']} ({frames['step']}k+{frames['offset']}), {spec['fps']} a second",
        "default": f"{spec['default_size']}, {spec['default_num_frames']} frames, "
        f"{spec['default_num_inference_steps']} steps (at most {spec['max_num_inference_steps']})",
        "takes": f"about {span(spec['typical']['compute_seconds'])} on {spec['typical']['slot']}, "
        f"{usd(spec['typical']['cost_usd'])}, by default",
        "prompt": f"up to {spec['max_prompt_chars']:,} characters",
        "shots": f"up to {spec['max_shots']}, {spec['multi_shot']}",
        "schedulers": ", ".join(spec["schedulers"]),
        "flow shift": "as published, or --flow-shift" if spec["takes_flow_shift"] else "its own",
        "LoRAs": "yes" if spec["supports_lora"] else "no",
        "licence": f"{spec['licence']['name']}, commercial use {spec['licence']['commercial_use']}",
        "": spec["licence"]["note"],
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


@with_session
def fleet(session: Session) -> None:
    """Instances, slots, loaded models and what waits."""
    view = session.api.get("/fleet").body
    instances = Table(title="Instances", title_justify="left", box=None, pad_edge=False)
    for name in ("instance", "kind", "state", "price an hour", "since (UTC)", "slot", "model", "video"):
        instances.add_column(name, no_wrap=True)
    for each in view["instances"]:
        head = (each["id"], each["kind"] + (" spot" if each["spot"] else ""), each["state"])
        cells = (*head, usd(each["usd_per_hour"]), when(each["started_at"]))
        for number, slot in enumerate(each["slots"] or [{}]):
            lead = cells if number == 0 else ("",) * len(cells)
            job = slot.get("job_id") or ("another owner's" if slot.get("busy") else "")
            instances.add_row(*lead, slot.get("name") or "", slot.get("loaded_model") or "", job)
    waiting = Table(title="Work", title_justify="left", box=None, pad_edge=False)
    for name in ("model", "queued", "running", "backlog"):
        waiting.add_column(name, justify="left" if name == "model" else "right")
    for model in sorted({*view["queued"], *view["running"]}):
        counts = (str(view["queued"].get(model, 0)), str(view["running"].get(model, 0)))
        waiting.add_row(model, *counts, span(view["backlog_seconds"].get(model, 0.0)))
    nothing = not view["instances"] and not view["queued"]
    told = ["Nothing runs and nothing waits: this costs nothing."] if nothing else [instances, waiting]
    session.emit(view, *told, *_money(view["plan"]))


def _money(plan: dict[str, Any] | None) -> list[str]:
    """What the fleet costs against its limits, and what keeps it from growing."""
    if plan is None:
        return []
    spend = plan["spend"]
    lines = [
        f"Spend: {usd(spend['usd_per_hour'])} an hour now{_of(spend['max_usd_per_hour'])}, "
        f"{usd(spend['month_usd'])} in {spend['month']}{_of(spend['max_usd_per_month'])}"
    ]
    if plan["holds"]:
        lines.append(f"Held back by: {', '.join(hold.replace('_', ' ') for hold in plan['holds'])}")
    lines += [
        f"Launches fail ({each['market']}, {each['kind']}): {escape(each['message'])}" for each in plan["failures"]
    ]
    return lines


def _of(limit: float | None) -> str:
    return "" if limit is None else f" of {usd(limit)}"
