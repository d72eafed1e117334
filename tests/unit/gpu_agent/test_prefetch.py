"""The next job is made ready beside the one under way: its files by the agent, its texts by the worker."""

import queue
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpu_agent.choice import SlotView
from gpu_agent.held import Hands
from gpu_agent.inputs import Inputs
from gpu_agent.lookout import Lookout
from gpu_agent.source import Reservation
from gpu_agent.worker.channel import Channel
from gpu_agent.worker.main import Worker
from gpu_agent.worker.protocol import PrepareJob, SlotSpec
from jobs.job import Job
from models.interface import GenerationRequest, WeightsError
from tests.unit.jobs.made import queued

WAIT_S = 30.0


def request(model: str = "wan-mini", prompt: str = "a red ball") -> GenerationRequest:
    return GenerationRequest(
        model=model, prompt=prompt, width=128, height=128, num_frames=17, fps=16, num_inference_steps=4,
        guidance_scale=3.0, seed=1,
    )  # fmt: skip


class LoadedModel:
    """Stands in for a model in the worker's memory; remembers what it was asked to make ready."""

    def __init__(self) -> None:
        self.spec = SimpleNamespace(id="wan-mini")
        self.prompts: list[str] = []
        self.told = threading.Event()

    def prefetch(self, coming: GenerationRequest) -> None:
        if coming.prompt == "bad":
            raise WeightsError(Path("encoder"), "missing")
        if coming.prompt == "astonishing":
            raise LookupError("no pipeline")
        self.prompts.append(coming.prompt)
        self.told.set()


class Words(Channel):
    """A channel without a pipe, whose end would end the process: what is to be prepared."""

    def __init__(self, *coming: PrepareJob) -> None:
        self._coming = queue.SimpleQueue()
        for order in coming:
            self._coming.put(order)


def test_given_word_of_coming_jobs_then_the_worker_prepares_those_of_its_model_and_survives_bad_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # what a worker sets for itself
    prompts = ("bad", "astonishing", "good")
    coming = (request(model="mochi-1", prompt="of another model"), *(request(prompt=prompt) for prompt in prompts))
    channel = Words(*(PrepareJob(request=each) for each in coming))
    worker = Worker(channel, SlotSpec(name="cpu", gpus=(), weights_dir=tmp_path))
    model: Any = LoadedModel()
    worker._model = model

    threading.Thread(target=worker.prepare_coming, daemon=True).start()

    assert model.told.wait(WAIT_S)
    assert model.prompts == ["good"]


class OneJob:
    """Stands in for the queue and the bucket: one job to reserve, and its inputs."""

    def __init__(self, job: Job, directory: Path) -> None:
        self._reservations = [Reservation(job=job, message=None)]
        self._inputs = Inputs(directory=directory, request=request(), resume=None, resume_step=0)

    def reserve(self, slot: SlotView) -> Reservation | None:
        return self._reservations.pop() if self._reservations else None

    def fetch(self, job: Job) -> Inputs:
        return self._inputs


def test_given_a_prepared_job_then_the_worker_is_told_of_it_once_and_it_is_there_when_the_slot_is_free(
    tmp_path: Path,
) -> None:
    job = queued()
    world = OneJob(job, tmp_path)
    context: Any = SimpleNamespace(hands=Hands(), source=world, fetcher=world, settings=SimpleNamespace(lease_s=60.0))
    lookout = Lookout(context, wanted=lambda: True, view=lambda: SlotView(models=frozenset({"wan-mini"})))
    assert lookout.unannounced() is None

    lookout.turn()

    assert lookout.unannounced() == request()
    assert lookout.unannounced() is None
    prepared = lookout.take()
    assert prepared is not None
    assert prepared.reservation.job == job
