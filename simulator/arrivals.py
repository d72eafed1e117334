"""When which video is asked for: drawn once, the same for every policy."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.scenario import Demand, parse_kind

DAY_S = 86_400.0
SWING = 2.0 / 3.0  # of the mean, either way, over a day
BURST_SHARE = 0.5


class Arrivals(NamedTuple):
    """One row a video, by time: seconds from the start, index into `models`, priority, and a standard normal draw that
    makes its true duration differ from the estimate."""

    models: tuple[str, ...]
    time_s: NDArray[np.float64]
    model: NDArray[np.int64]
    priority: NDArray[np.int64]
    deviation: NDArray[np.float64]


def draw(demand: Demand, seed: int) -> Arrivals:
    """The arrivals of a demand. Raises ValueError for a CSV that cannot be read, naming the line."""
    rng = np.random.default_rng([seed, 1])
    if demand.pattern == "csv" and demand.csv is not None:
        return _from_csv(demand.csv, rng)
    models = tuple(demand.mix)
    shares = np.array([demand.mix[name] for name in models])
    times = _times(demand, rng)
    return Arrivals(
        models=models,
        time_s=times,
        model=rng.choice(len(models), size=len(times), p=shares / shares.sum()),
        priority=(rng.random(len(times)) < demand.high_share).astype(np.int64),
        deviation=rng.standard_normal(len(times)),
    )


def _times(demand: Demand, rng: np.random.Generator) -> NDArray[np.float64]:
    end_s = demand.hours * 3600.0
    mean = demand.videos_per_hour * demand.hours
    if demand.pattern == "bursts":
        single = rng.uniform(0.0, end_s, rng.poisson(mean * (1 - BURST_SHARE)))
        bursts = rng.uniform(0.0, end_s, rng.poisson(mean * BURST_SHARE / demand.burst_videos))
        return np.sort(np.concatenate([single, np.repeat(bursts, demand.burst_videos)]))
    times = rng.uniform(0.0, end_s, rng.poisson(mean * (1 + SWING if demand.pattern == "daily" else 1)))
    if demand.pattern == "daily":
        # Thinning: keep a time with the share that its hour has of the busiest hour.
        level = 1.0 - SWING * np.cos(2 * math.pi * times / DAY_S)
        times = times[rng.random(len(times)) < level / (1 + SWING)]
    return np.sort(times)


def _from_csv(path: Path, rng: np.random.Generator) -> Arrivals:
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_row(line, row) for line, row in enumerate(csv.DictReader(file), start=2)]
    rows.sort()
    names: tuple[str, ...] = tuple(sorted({name for _, name, _ in rows}))
    return Arrivals(
        models=names,
        time_s=np.array([time_s for time_s, _, _ in rows], dtype=np.float64),
        model=np.array([names.index(name) for _, name, _ in rows], dtype=np.int64),
        priority=np.array([level for _, _, level in rows], dtype=np.int64),
        deviation=rng.standard_normal(len(rows)),
    )


def _row(line: int, row: dict[str, str]) -> tuple[float, str, int]:
    try:
        time_s, model, priority = float(row["time_s"]), row["model"], int(row.get("priority") or 0)
        parse_kind(model)
    except KeyError as error:
        raise ValueError(f"line {line}: the column {error} is missing; time_s and model are needed") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"line {line}: {error}") from error
    if not (math.isfinite(time_s) and time_s >= 0):
        raise ValueError(f"line {line}: time_s must be zero or more seconds")
    return time_s, model, priority


def span_h(time_s: Sequence[float] | NDArray[np.float64]) -> float:
    """Hours from the start to the last arrival."""
    return float(time_s[-1]) / 3600.0 if len(time_s) else 0.0
