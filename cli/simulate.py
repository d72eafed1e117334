"""``revalida simulate``: what a fleet would cost and how long videos take, policy against policy. Works offline."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from cli.exits import usage
from cli.session import Session, offline

if TYPE_CHECKING:  # numpy and simpy take half a second, which no other command is to wait for
    from simulator.compare import Comparison
    from simulator.scenario import Scenario


class PlotFormat(StrEnum):
    PNG = "png"
    SVG = "svg"


@offline
def simulate(
    session: Session,
    pattern: Annotated[str, typer.Option(help="poisson, daily, bursts; csv with --arrivals.")] = "bursts",
    videos_per_hour: Annotated[float, typer.Option("--rate", help="Videos an hour, on average.")] = 30.0,
    hours: Annotated[float, typer.Option(help="Hours that videos arrive for.")] = 168.0,
    mix: Annotated[list[str] | None, typer.Option(help="MODEL=SHARE or MODEL:STEPS=SHARE; repeat.")] = None,
    arrivals: Annotated[Path | None, typer.Option(help="Own arrivals: CSV of time_s,model[,priority].")] = None,
    max_instances: Annotated[int, typer.Option(help="Instances at most, both markets together.")] = 40,
    latency_target_s: Annotated[
        float, typer.Option("--latency-target", help="Seconds from request to video.")
    ] = 4500.0,
    spot_price: Annotated[float | None, typer.Option(help="US$ an hour of an instance.")] = None,
    interruption_h: Annotated[float, typer.Option(help="Mean hours until Spot takes an instance back.")] = 12.0,
    dry_h: Annotated[float, typer.Option(help="Mean hours that a zone has no Spot.")] = 2.0,
    seed: Annotated[int, typer.Option(help="The same seed draws the same arrivals and market.")] = 1,
    ours_only: Annotated[bool, typer.Option("--ours-only", help="No comparison.")] = False,
    plots: Annotated[Path | None, typer.Option(help="Write the plots into this folder.")] = None,
    plot_format: Annotated[PlotFormat, typer.Option(help="Of the plots.")] = PlotFormat.PNG,
) -> None:
    """Simulate the fleet with production's planner, choice of work and estimates, against other policies."""
    demand = {"pattern": "csv" if arrivals else pattern, "videos_per_hour": videos_per_hour, "hours": hours}
    demand |= {"csv": arrivals, "mix": _mix(mix)} if mix else {"csv": arrivals}
    fleet = {"max_instances": max_instances, "latency_target_s": latency_target_s, "spot_usd_per_hour": spot_price}
    market = {"interruption_mean_h": interruption_h, "dry_h": dry_h}
    console = Console(stderr=session.as_json)
    try:
        found = _compared(_scenario(demand, fleet, market, seed), console, ours_only=ours_only)
    except (ValueError, OSError) as error:
        raise usage(_words(error), hint="revalida simulate --help") from error
    _show(found, console, as_json=session.as_json)
    if plots is not None:
        from simulator.plots import draw  # matplotlib is a second of start-up that only plots need

        for path in draw(found, plots, plot_format.value):
            console.print(str(path), highlight=False)


def _compared(scenario: "Scenario", console: Console, *, ours_only: bool) -> "Comparison":
    from simulator.compare import all_policies, compare
    from simulator.policies import OURS

    policies = [OURS] if ours_only else list(all_policies())
    with console.status("") as status:
        return compare(scenario, policies, tell=lambda name: status.update(f"simulating: {name}"))


def _scenario(demand: dict[str, Any], fleet: dict[str, Any], market: dict[str, Any], seed: int) -> "Scenario":
    from simulator.scenario import Demand, Fleet, Market, Scenario

    return Scenario(
        seed=seed,
        demand=Demand.model_validate(demand),
        fleet=Fleet.model_validate(fleet),
        market=Market.model_validate(market),
    )


def _mix(entries: list[str]) -> dict[str, float]:
    shares = {}
    for entry in entries:
        kind, _, share = entry.partition("=")
        try:
            shares[kind] = float(share)
        except ValueError as error:
            message = f"--mix {entry} says no share of the videos"
            raise usage(message, hint="write MODEL=SHARE, for example wan2.2-ti2v-5b=0.5") from error
    return shares


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".lstrip(": ") for one in error.errors())
    return str(error)


def _show(found: "Comparison", console: Console, *, as_json: bool) -> None:
    from simulator.report import print_comparison

    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json"), indent=2))
    else:
        print_comparison(found, console)
