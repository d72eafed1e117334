"""What this machine can run: its GPUs, the slots they are divided into, and which models have their files here."""

import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gpu_agent.fleet import LOCAL
from gpu_agent.logs import logger
from gpu_agent.worker.protocol import SlotSpec
from jobs.fleet import Ability, Measured
from models import catalog, registry
from models.catalog import ModelSpec
from models.estimate import OFFERS, SLOT_KINDS, Slot
from models.weights.cache import fetched_models

NVIDIA_SMI = ("nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits")
NVIDIA_SMI_TIMEOUT_S = 20.0


class GpusUnreadable(Exception):
    """nvidia-smi is there, but does not tell of every GPU: what this machine can run is not known."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    index: int
    name: str
    memory_mib: int


def gpus_of(kind: str) -> tuple[Gpu, ...]:
    """The GPUs to work with on a machine of this kind. Raises GpusUnreadable; but a `local` one, a laptop with half a
    driver, has its processor all the same, and speaks for no other machine."""
    try:
        return detect_gpus()
    except GpusUnreadable as error:
        if kind != LOCAL:
            raise
        logger.warning("going on without GPUs", extra={"reason": str(error)})
        return ()


def detect_gpus() -> tuple[Gpu, ...]:
    """The machine's NVIDIA GPUs by nvidia-smi; none where the tool is not installed. Torch stays in the workers.

    Raises GpusUnreadable where it fails: an agent without GPUs would tell the fleet that machines of this kind can run
    nothing, and idle. One GPU that is lost is no less a failure: which numbers the others then have is not known.
    """
    try:
        answer = subprocess.run(NVIDIA_SMI, capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_S, check=False)
    except FileNotFoundError:
        return ()
    except subprocess.TimeoutExpired as error:
        raise GpusUnreadable(f"nvidia-smi did not answer within {NVIDIA_SMI_TIMEOUT_S:g} s") from error
    if answer.returncode:
        said = " ".join((answer.stdout + answer.stderr).split())
        raise GpusUnreadable(f"nvidia-smi ended with status {answer.returncode}: {said}")
    return _listed(answer.stdout)


def _listed(answer: str) -> tuple[Gpu, ...]:
    lines = [line for line in answer.splitlines() if line.strip()]
    if not lines:
        raise GpusUnreadable("nvidia-smi names no GPU")
    return tuple(map(_gpu, lines))


def _gpu(line: str) -> Gpu:
    try:
        index, name, memory_mib = (cell.strip() for cell in line.split(","))
        if name.startswith("["):  # as in [Unknown Error], [GPU is lost]
            raise ValueError(name)
        return Gpu(index=int(index), name=name, memory_mib=int(memory_mib))
    except ValueError as error:
        raise GpusUnreadable(f"nvidia-smi cannot tell of every GPU: {line.strip()}") from error


def divide(
    gpus: Sequence[Gpu],
    *,
    gpus_per_slot: int,
    cpu_slots: int,
    cpu_threads: int,
    weights_dir: Path,
    weights_bucket: str = "",
) -> tuple[SlotSpec, ...]:
    """The slots: groups of `gpus_per_slot` GPUs, or `cpu_slots` on a machine without one.

    Raises ValueError where the GPUs do not divide evenly: a GPU left over would be paid for and idle.
    """
    make = partial(SlotSpec, weights_dir=weights_dir, weights_bucket=weights_bucket, cpu_threads=cpu_threads)
    if not gpus:
        names = ["cpu"] if cpu_slots == 1 else [f"cpu{number}" for number in range(cpu_slots)]
        return tuple(make(name=name, gpus=()) for name in names)
    if len(gpus) % gpus_per_slot:
        raise ValueError(f"{len(gpus)} GPUs do not divide into slots of {gpus_per_slot}")
    groups = [tuple(gpu.index for gpu in gpus[at : at + gpus_per_slot]) for at in range(0, len(gpus), gpus_per_slot)]
    return tuple(make(name="+".join(map(str, group)), gpus=group) for group in groups)


def slot_name(gpus: Sequence[Gpu], *, gpus_per_slot: int, cpu_threads: int = 1) -> str:
    """What a worker owns here, as `models.estimate.Slot` writes it (`A10Gx1`, `CPUx1`), or the GPU's own full name."""
    if not gpus:
        return f"CPUx{cpu_threads}"
    words = gpus[0].name.replace("-", " ").split()
    known = next((word for word in words if word in SLOT_KINDS), None)
    return f"{known}x{gpus_per_slot}" if known else gpus[0].name


def estimate_slot(name: str, *, kind: str, measured: Measured | None = None) -> Slot | None:
    """The slot as the arithmetic knows it, with its share of the host memory of such an instance and what was measured
    on one; None for a GPU that it does not know, and for a CPU, which needs no plan."""
    try:
        slot = Slot.parse(name)
    except ValueError:
        return None
    if slot.is_cpu:
        return None
    slot = slot.on(OFFERS.get(kind))
    return slot if measured is None else slot.measured(matmul_tf_s=measured.matmul_tf_s, load_gib_s=measured.load_gib_s)


def has_weights(spec: ModelSpec, weights_dir: Path, in_bucket: Collection[str] = ()) -> bool:
    """Whether a worker here comes by the model's files: they lie below `weights_dir` or are among those of the bucket
    (model ids), are shipped with the code, or stood in for."""
    if (weights_dir / spec.id).is_dir() or spec.id in in_bucket or spec.id in fetched_models(weights_dir):
        return True
    shipped = registry.CHECKPOINTS / spec.weights.repo
    return spec.embedded and (shipped.is_dir() or spec.id == registry.STAND_IN_FOR)


def abilities(gpus: Sequence[Gpu], weights_dir: Path, in_bucket: Collection[str] = ()) -> tuple[Ability, ...]:
    """For every model of the catalog whether it can run here, and if not, why."""
    return tuple(_ability(spec, gpus, weights_dir, in_bucket) for spec in catalog.all_models())


def _ability(spec: ModelSpec, gpus: Sequence[Gpu], weights_dir: Path, in_bucket: Collection[str]) -> Ability:
    reason = None
    if not has_weights(spec, weights_dir, in_bucket):
        reason = "its weights are neither on this machine nor in the bucket (revalida weights pull)"
    elif not gpus and not spec.embedded:
        reason = "this machine has no NVIDIA GPU"
    return Ability(model=spec.id, runnable=reason is None, reason=reason)
