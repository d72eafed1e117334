"""Several processes on one video make what one makes, pass checkpoints to and fro, and die together."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import save_file

from models.interface import GenerationStopped, LoraError, LoraRef, Step, VideoModel
from models.speed.parallel import crew
from models.speed.parallel.model import ParallelVideoModel
from tests.unit.models.families import cases
from tests.unit.models.speed.parallel_worker import generate_for_long, parallel

NOTICED_S = 30.0  # docs/desempenho.md promises it; the watch's limits are held to it below
# How long they may take to be gone: the leader joins those that it kills, and two busy cores hold up all of it. Without
# the watch the others would wait in their collective for hours.
GONE_S = 90.0
START_S = 240.0
# Whole tokens for each: TI2V-5B has one for 32 x 32 pixels.
SIZES = {"wan-ti2v-image": {"width": 64, "height": 64}}


@pytest.fixture(scope="module")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    def folder_of(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        cases.CASES[name].build(folder)
        return folder

    return folder_of


@pytest.mark.parametrize(
    ("name", "cfg", "ulysses"),
    [
        ("wan-t2v-two-experts", 2, 2),
        ("wan-ti2v-image", 1, 2),
        ("cogvideox-t2v", 2, 1),
        ("mochi-t2v", 2, 1),
        ("ltx-t2v", 2, 2),
    ],
)
def test_given_several_processes_then_the_video_is_that_of_one_and_checkpoints_move_both_ways(
    name: str, cfg: int, ulysses: int, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(case, folder, **SIZES.get(name, {}))
    one = cases.load(case, folder)
    expected = cases.frames_of(one, asked).astype(int)
    several = parallel(case, folder, cfg=cfg, ulysses=ulysses)
    # CUDA cannot be used in a fork of a process that asked for a GPU, as libraries do when they are imported.
    assert all("spawn_main" in " ".join(psutil.Process(pid).cmdline()) for pid in several.crew.pids)
    try:
        for turn in ("first", "second"):
            found = cases.frames_of(several, asked).astype(int)
            np.testing.assert_allclose(found, expected, atol=2, err_msg=f"{turn} request")

        of_several = cases.checkpoint_after(several, asked, 2)
        resumed = cases.frames_of(one, asked, resume=of_several).astype(int)
        np.testing.assert_allclose(resumed, expected, atol=2, err_msg="resumed by one")

        of_one = cases.checkpoint_after(one, asked, 3)
        resumed = cases.frames_of(several, asked, resume=of_one).astype(int)
        np.testing.assert_allclose(resumed, expected, atol=2, err_msg="resumed by several")
    finally:
        several.unload()


def test_given_a_refusal_a_stop_or_a_signal_then_the_other_processes_are_ready_for_the_next_request(
    weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    name = "wan-t2v-two-experts"
    case, folder = cases.CASES[name], weights_of(name)
    asked = cases.request(case, folder)
    several = parallel(case, folder, cfg=2)
    save_file({"transformer.nowhere.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    broken = LoraRef(path=tmp_path / "other.safetensors", scale=1.0, name="other")

    def stop(step: Step) -> None:
        raise GenerationStopped

    try:
        with pytest.raises(LoraError):
            cases.frames_of(several, cases.request(case, folder, loras=(broken,)))
        with pytest.raises(GenerationStopped):
            cases.frames_of(several, asked, on_step=stop)
        for pid in several.crew.pids:  # as when the service is told to end: the leader decides when
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)

        found = cases.frames_of(several, asked).astype(int)
        expected = cases.frames_of(cases.load(case, folder), asked).astype(int)
        np.testing.assert_allclose(found, expected, atol=2)
    finally:
        several.unload()


@pytest.fixture
def waiting(weights_of: Callable[[str], Path]) -> Iterator[tuple[BaseProcess, int]]:
    """A leader and the id of its one follower, in the middle of a long generation."""
    name = "wan-t2v-two-experts"
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    leader = context.Process(target=generate_for_long, args=(theirs, name, weights_of(name)))
    leader.start()
    assert ours.poll(START_S)
    (follower,) = ours.recv()
    assert ours.poll(START_S)
    assert ours.recv() == "stepped"
    yield leader, follower
    for pid in (leader.pid, follower):
        if pid is not None and psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    leader.join(30)


@pytest.mark.parametrize(
    ("who", "how"), [("follower", signal.SIGKILL), ("follower", signal.SIGSTOP), ("leader", signal.SIGSTOP)]
)
def test_given_a_process_that_dies_or_hangs_then_all_are_gone_in_time_and_the_gpus_with_them(
    who: str, how: signal.Signals, waiting: tuple[BaseProcess, int]
) -> None:
    leader, follower = waiting
    assert leader.pid is not None
    victim, other = (leader.pid, follower) if who == "leader" else (follower, leader.pid)

    os.kill(victim, how)
    began_s = time.monotonic()
    while time.monotonic() - began_s < GONE_S and running(other):
        time.sleep(0.2)

    assert not running(other), f"still there after {GONE_S} s"
    if other == leader.pid:
        leader.join(10)
        assert leader.exitcode not in (0, None), "the agent must see a worker that died"
        assert not running(follower), "the leader takes a hanging follower with it"


def test_given_a_rank_that_hangs_then_its_silence_is_over_the_limit_in_the_time_promised() -> None:
    """By the limits of the watch, which looks once a beat: what a busy machine adds is no defect."""
    assert crew.SILENCE_S + crew.BEAT_S < NOTICED_S


def running(pid: int) -> bool:
    """Whether the process is there, and no corpse that only waits to be collected."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_parallel_model_offers_all_that_a_model_does() -> None:
    wanted = {name for name in vars(VideoModel) if not name.startswith("_")}

    assert {name for name in wanted if not hasattr(ParallelVideoModel, name)} == set()
