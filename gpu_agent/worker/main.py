"""The worker process of one slot: load a model, run jobs, keep the model for the next one. Torch lives here alone."""

import os
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection

from gpu_agent.weights import worker_cache
from gpu_agent.worker.channel import Channel
from gpu_agent.worker.encode import EncodingJob
from gpu_agent.worker.failures import classify, describe
from gpu_agent.worker.protocol import JobFailed, ModelLoaded, RunJob, SlotSpec, WorkerReady
from gpu_agent.worker.run import JobRun
from gpu_agent.worker.snapshots import CheckpointWriter
from gpu_agent.worker.training_run import TrainingRun
from models import catalog
from models.common.block_files import remove_stale
from models.interface import ModelError, VideoModel
from models.lora_training.request import LoraTrainingRequest
from models.placement import ALLOC_CONF, Plan

BYTES_PER_GIB = 2**30
_NVLINK_GPUS = ("A100", "H100", "H200")


def serve(connection: Connection, slot: SlotSpec) -> None:
    """Entry point of the process: run jobs until told to end."""
    # Ctrl-C and SIGTERM reach the whole process group; what becomes of the work is the agent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    remove_stale()  # this slot's last worker may have been killed
    channel = Channel(connection)
    worker = Worker(channel, slot)
    threading.Thread(target=worker.prepare_coming, name="prepare", daemon=True).start()
    worker.announce()
    while (job := channel.next_job()) is not None:
        worker.run(job)
        channel.forget(job)


class Worker:
    """Holds the loaded model between jobs."""

    def __init__(self, channel: Channel, slot: SlotSpec) -> None:
        self._channel = channel
        self._slot = slot
        self._writer = CheckpointWriter(channel)
        self._model: VideoModel | None = None
        self._placed: tuple[object, ...] = ()
        self._weights = worker_cache(slot.weights_dir, slot.weights_bucket)
        self._device = prepare_device(slot)

    def announce(self) -> None:
        self._channel.send(WorkerReady(device=self._device, device_name=device_name(self._device)))

    def run(self, job: RunJob) -> None:
        """One job. What the job or the machine is to blame for is reported; a defect ends the process, too."""
        try:
            left = job if job.training is None else self._trained(job, job.training)
            if left is None:
                return
            job = left
            model = self._loaded(job)
            encoding = EncodingJob(job, self._channel)
            JobRun(job, model, self._channel, self._writer).run(encoding, lambda: peak_gpu_gib(self._device))
        except (ModelError, OSError) as error:
            self._report(job, error)
        except Exception as error:
            self._report(job, error, ends_worker=True)
            raise

    def prepare_coming(self) -> None:
        """For a thread of its own: jobs to come, beside the one under way, where they are of the loaded model."""
        while True:
            request = self._channel.next_coming().request
            model = self._model
            if model is None or model.spec.id != request.model:
                continue
            try:
                model.prefetch(request)
            except (ModelError, OSError, RuntimeError) as error:
                # The job itself will meet it again, and report it.
                print(f"not prepared: {describe(error)}", flush=True)
            except Exception:  # noqa: BLE001 - the same holds of a defect: those that come after it are made ready
                traceback.print_exc()

    def _trained(self, job: RunJob, request: LoraTrainingRequest) -> RunJob | None:
        """The job that is left once its LoRA is there; None where it was stopped. No model is loaded beside it."""
        from models import registry

        self._forget_model()
        folder = self._weights.folder_of(catalog.get(request.model))
        trainer = registry.load_trainer(request.model, weights_dir=folder, device=self._device)
        return TrainingRun(job, request, trainer, self._channel, self._writer).run()

    def _forget_model(self) -> None:
        if self._model is not None:
            self._model.unload()
            self._model = None

    def _loaded(self, job: RunJob) -> VideoModel:
        from models import registry

        wanted = job.request.model
        placed = placement_key(job.plan)
        if self._model is not None and self._model.spec.id == wanted and self._placed == placed:
            return self._model
        self._forget_model()
        began_s = time.monotonic()
        folder = self._weights.folder_of(catalog.get(wanted))
        self._model = registry.load(wanted, weights_dir=folder, device=self._device, plan=job.plan)
        self._placed = placed
        self._channel.send(ModelLoaded(model=wanted, seconds=time.monotonic() - began_s))
        return self._model

    def _report(self, job: RunJob, error: Exception, *, ends_worker: bool = False) -> None:
        kind, code = classify(error)
        self._channel.send(
            JobFailed(
                job_id=job.job_id,
                attempt=job.attempt,
                kind=kind,
                code=code,
                message=describe(error),
                ends_worker=ends_worker,
            )
        )


def placement_key(plan: Plan | None) -> tuple[object, ...]:
    """What of a plan a loaded model cannot change: requests of other sizes share a model where this is equal."""
    if plan is None:
        return ()
    parts = (plan.text_encoder, plan.denoiser, plan.vae)
    return (plan.tier, plan.layout, plan.vae_tiling, *((part.mode, part.dtype) for part in parts))


def prepare_device(slot: SlotSpec) -> str:
    """Show torch this slot's GPUs alone; the torch device to use."""
    # CUDA's own order is by speed; nvidia-smi and NVML, whose numbers a slot has, count by the bus.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(str(gpu) for gpu in slot.gpus)
    # OpenMP's threads spin while they wait; on a machine with other work each step then takes several times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("PYTORCH_ALLOC_CONF", ALLOC_CONF)
    import torch

    if slot.gpus:
        # GPU peer-to-peer is broken on g5.12xlarge (FACTS): NCCL hangs without this. NVLink machines need it.
        if not any(kind in torch.cuda.get_device_name(0) for kind in _NVLINK_GPUS):
            os.environ.setdefault("NCCL_P2P_DISABLE", "1")
        return "cuda"
    torch.set_num_threads(slot.cpu_threads)
    return "cpu"


def device_name(device: str) -> str:
    """What the hardware calls itself; part of what makes two runs comparable bit for bit."""
    import platform

    import torch

    return torch.cuda.get_device_name(0) if device == "cuda" else platform.processor() or platform.machine()


def peak_gpu_gib(device: str) -> float:
    """The most GPU memory held since the last call, in GiB; 0 on a CPU."""
    import torch

    if device != "cuda":
        return 0.0
    peak_bytes = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak_bytes / BYTES_PER_GIB
