"""Processes that train together keep together."""

import multiprocessing
from pathlib import Path
from typing import Any

import torch

from training.networks.flat import AGREE_EVERY, FlatParameters


def _go_apart(rank: int, meeting: str, found: Any) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    flat = FlatParameters(torch.nn.Linear(2, 2), ema_decay=0.5)
    with torch.no_grad():
        flat.values.fill_(float(rank))
    for step in range(1, AGREE_EVERY + 1):
        flat.agree()
        found[rank, step] = flat.values.tolist()
    torch.distributed.destroy_process_group()


def test_given_two_processes_when_they_have_made_ten_steps_then_both_go_on_from_their_mean(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        found = manager.dict()
        both = [spawn.Process(target=_go_apart, args=(rank, str(tmp_path / "meeting"), found)) for rank in range(2)]
        for process in both:
            process.start()
        for process in both:
            process.join(300)  # two busy cores import torch meanwhile
        assert [process.exitcode for process in both] == [0, 0]
        assert found[0, AGREE_EVERY - 1] == [0.0] * 6
        assert found[1, AGREE_EVERY - 1] == [1.0] * 6
        assert found[0, AGREE_EVERY] == found[1, AGREE_EVERY] == [0.5] * 6
