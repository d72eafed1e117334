"""What this machine can run: its GPUs, the slots they are divided into, and which models have their files here."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_agent.worker.protocol import SlotSpec
from jobs.fleet import Ability
from models import catalog, registry
from models.catalog import ModelSpec
from models.estimate import SLOT_KINDS, Slot

NVIDIA_SMI_TIMEOUT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Gpu:
    index: int
    name: str
    memory_mib: int


def detect_gpus() -> tuple[Gpu, ...]:
    """The machine's NVIDIA GPUs by nvidia-smi; none where the tool is not installed. Torch stays in the workers."""
    query = ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_S, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return ()
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
    return tuple(Gpu(index=int(row[0]), name=row[1], memory_mib=int(row[2])) for row in rows)


def divide(
    gpus: Sequence[Gpu], *, gpus_per_slot: int, cpu_slots: int, cpu_threads: int, weights_dir: Path
) -> tuple[SlotSpec, ...]:
    """The slots: groups of `gpus_per_slot` GPUs, or `cpu_slots` on a machine without one.

    Raises ValueError where the GPUs do not divide evenly: a GPU left over would be paid for and idle.
    """
    if not gpus:
        names = ["cpu"] if cpu_slots == 1 else [f"cpu{number}" for number in range(cpu_slots)]
        return tuple(SlotSpec(name=name, gpus=(), weights_dir=weights_dir, cpu_threads=cpu_threads) for name in names)
    if len(gpus) % gpus_per_slot:
        raise ValueError(f"{len(gpus)} GPUs do not divide into slots of {gpus_per_slot}")
    groups = [tuple(gpu.index for gpu in gpus[at : at + gpus_per_slot]) for at in range(0, len(gpus), gpus_per_slot)]
    return tuple(
        SlotSpec(name="+".join(map(str, group)), gpus=group, weights_dir=weights_dir, cpu_threads=cpu_threads)
        for group in groups
    )


def slot_name(gpus: Sequence[Gpu], *, gpus_per_slot: int) -> str:
    """What a worker owns here, as `models.estimate.Slot` writes it (`A10Gx1`, `CPU`), or the GPU's own full name."""
    if not gpus:
        return "CPU"
    words = gpus[0].name.replace("-", " ").split()
    known = next((word for word in words if word in SLOT_KINDS), None)
    return f"{known}x{gpus_per_slot}" if known else gpus[0].name


def estimate_slot(name: str) -> Slot | None:
    """The slot as the arithmetic knows it; None for a GPU that it does not know, and for a CPU, which needs no plan."""
    try:
        slot = Slot.parse(name)
    except ValueError:
        return None
    return None if slot.is_cpu else slot


def has_weights(spec: ModelSpec, weights_dir: Path) -> bool:
    """Whether the model's files lie here: pulled below `weights_dir`, shipped with the code, or stood in for."""
    if (weights_dir / spec.id).is_dir():
        return True
    shipped = registry.CHECKPOINTS / spec.weights.repo
    return spec.embedded and (shipped.is_dir() or spec.id == registry.STAND_IN_FOR)


def abilities(gpus: Sequence[Gpu], weights_dir: Path) -> tuple[Ability, ...]:
    """For every model of the catalog whether it can run here, and if not, why."""
    return tuple(_ability(spec, gpus, weights_dir) for spec in catalog.all_models())


def _ability(spec: ModelSpec, gpus: Sequence[Gpu], weights_dir: Path) -> Ability:
    reason = None
    if not has_weights(spec, weights_dir):
        reason = "its weights have not been pulled to this machine"
    elif not gpus and not spec.embedded:
        reason = "this machine has no NVIDIA GPU"
    return Ability(model=spec.id, runnable=reason is None, reason=reason)
