"""A drawn Spot market: when each pool has instances, and when it takes which back. The same for every policy.

Interruptions belong to a place in a pool, not to an instance: whoever holds place 3 of pool 1 at that time loses it. So
two policies that hold the same places meet the same interruptions, and one that holds fewer meets fewer.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulator.scenario import Market


class Reclaim(NamedTuple):
    """The end of an instance: when, and whether the two minutes' notice comes."""

    at_s: float
    has_notice: bool


class Pool:
    """One zone's market. Open and dry spells alternate; places have their own streams of reclaims."""

    def __init__(self, spec: Market, seed: int, index: int) -> None:
        self._spec = spec
        self._seed = [seed, 2, index]
        self._spells = np.random.default_rng([*self._seed, 0])
        self._edges_s = [0.0]  # open from even edges to odd ones
        self._places: dict[int, tuple[list[Reclaim], Iterator[Reclaim]]] = {}
        self.free: list[int] = []
        self._used = 0

    def is_open(self, at_s: float) -> bool:
        """Whether an instance can be had."""
        self._draw_spells(at_s)
        return bisect_right(self._edges_s, at_s) % 2 == 1

    def take(self) -> int:
        """The lowest place that is free."""
        if self.free:
            place = min(self.free)
            self.free.remove(place)
            return place
        self._used += 1
        return self._used - 1

    def next_reclaim(self, place: int, after_s: float) -> Reclaim:
        """When the market takes back what holds the place from `after_s` on."""
        if place not in self._places:
            self._places[place] = ([], self._reclaims(place))
        drawn, rest = self._places[place]
        while not drawn or drawn[-1].at_s <= after_s:
            drawn.append(next(rest))
        return drawn[bisect_right(drawn, after_s, key=lambda reclaim: reclaim.at_s)]

    def _reclaims(self, place: int) -> Iterator[Reclaim]:
        rng = np.random.default_rng([*self._seed, 1, place])
        own_s, edge = self._life(rng), 1
        while True:
            self._draw_spells(own_s)
            while len(self._edges_s) <= edge:
                self._draw_spells(self._edges_s[-1] + 1.0)
            dry_s = self._edges_s[edge]
            if own_s <= dry_s:
                yield Reclaim(own_s, bool(rng.random() >= self._spec.silent_share))
                own_s += self._life(rng)
                continue
            if rng.random() < self._spec.reclaim_share:
                yield Reclaim(dry_s, bool(rng.random() >= self._spec.silent_share))
            edge += 2

    def _life(self, rng: np.random.Generator) -> float:
        return float(rng.exponential(self._spec.interruption_mean_h * 3600.0))

    def _draw_spells(self, until_s: float) -> None:
        while self._edges_s[-1] <= until_s:
            is_opening = len(self._edges_s) % 2 == 0
            mean_h = self._spec.dry_h if is_opening else self._spec.open_h
            self._edges_s.append(self._edges_s[-1] + float(self._spells.exponential(mean_h * 3600.0)))


def pools(spec: Market, seed: int) -> list[Pool]:
    """The market's pools, fresh: places are held anew by each simulated fleet."""
    return [Pool(spec, seed, index) for index in range(spec.pools)]
