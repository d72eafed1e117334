"""The attempts of one slot: which of a worker's words about one count."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gpu_agent.context import NoticeBoard
from gpu_agent.held import HeldJob
from gpu_agent.running import Running
from gpu_agent.workbench import Workbench
from gpu_agent.worker.protocol import CheckpointSaved, JobStopped, StopWhy
from tests.unit.jobs.made import queued


class Bench:
    """A workbench in the middle of one attempt that was told to stop. `uploads` and `flushed` are the steps of the
    checkpoints that were to be uploaded on the way, and at the end."""

    def __init__(self, folder: Path) -> None:
        self.uploads: list[int] = []
        self.flushed: list[int] = []
        self._folder = folder

        def interrupted(*_: Any, saved: CheckpointSaved, **__: Any) -> None:
            self.flushed.append(saved.step)

        def at_once(action: Callable[..., None], *args: Any, **options: Any) -> None:
            action(*args, **options)

        context: Any = SimpleNamespace(
            board=NoticeBoard(),
            checkpoints=SimpleNamespace(upload_later=lambda held, saved: self.uploads.append(saved.step)),
            ending=SimpleNamespace(submit=at_once),
            outcomes=SimpleNamespace(interrupted=interrupted),
            settings=SimpleNamespace(notice_margin_s=1.0, lease_s=60.0),
        )
        lease: Any = None
        self.held = HeldJob(queued(attempt=1), message=None, directory=folder)
        self.workbench = Workbench(context, send=lambda order: None)
        self.workbench.running = Running(held=self.held, lease=lease, steps_left=10, stop=StopWhy.INTERRUPTED)

    def saved(self, step: int) -> None:
        path = self._folder / f"step-{step:06d}.safetensors"
        path.write_bytes(b"latents")
        told = CheckpointSaved(job_id=self.held.id, attempt=1, step=step, path=path, cost_s=0.1, save_s=0.1)
        self.workbench.handle(told)

    def stopped(self, step: int) -> None:
        self.workbench.handle(JobStopped(job_id=self.held.id, attempt=1, step=step))


def test_given_an_older_checkpoint_that_is_told_after_a_newer_one_then_the_newer_one_is_what_the_job_leaves(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.saved(3)
    bench.saved(5)  # for the stop; the periodic one is still being written, by another thread

    bench.saved(4)
    bench.stopped(5)

    assert bench.uploads == [3, 5]
    assert bench.flushed == [5]


def test_given_checkpoints_that_never_come_to_s3_then_only_the_newest_lies_on_the_disk(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for step in (3, 5, 7):
        bench.saved(step)

    assert [path.name for path in tmp_path.iterdir()] == ["step-000007.safetensors"]
