"""The order of the examples: shuffled anew each epoch, every batch from one bucket, the place kept for a resume."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class BatchOrder:
    """Hands out batches of example indexes for ever. `buckets[i]` is the size that example i is trained at."""

    def __init__(self, buckets: Sequence[tuple[int, int]], *, batch_size: int, rng: torch.Generator) -> None:
        self._buckets = list(buckets)
        self._batch_size = batch_size
        self._rng = rng
        self.waiting: list[list[int]] = []
        """The batches of this epoch that are still to come; all of the state beside the generator's."""

    def next(self) -> list[int]:
        """The next batch."""
        if not self.waiting:
            self.waiting = self._epoch()
        return self.waiting.pop(0)

    def _epoch(self) -> list[list[int]]:
        batches: list[list[int]] = []
        for bucket in sorted(set(self._buckets)):
            members = [index for index, each in enumerate(self._buckets) if each == bucket]
            shuffled = [members[at] for at in self._shuffle(len(members))]
            size = self._batch_size
            batches += [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
        return [batches[at] for at in self._shuffle(len(batches))]

    def _shuffle(self, count: int) -> list[int]:
        shuffled: list[int] = torch.randperm(count, generator=self._rng).tolist()
        return shuffled
