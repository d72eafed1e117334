"""Whether a GPU can be worked with: a pure decision over what its driver says (Xid events, ECC, remapped rows)."""

from dataclasses import dataclass
from enum import StrEnum

# Xids after which NVIDIA wants the GPU reset or replaced (docs.nvidia.com/deploy/xid-errors, resolution buckets; the
# same page's list of checks): stopped, double-bit ECC, halted, row remapping failed, off the bus, ECC not contained,
# GSP silent, ECC not recovered. A reset would hit the neighbours' work, so the GPU is left alone instead.
BROKEN_XIDS = frozenset({46, 48, 62, 64, 79, 95, 119, 120, 140})
# A row was remapped, many single-bit errors, an ECC error that cost one process: the next one may work.
SUSPECT_XIDS = frozenset({63, 92, 94})
# All others (13, 31, 43, ...) are a program's doing, which the worker tells of itself.


class GpuVerdict(StrEnum):
    FINE = "fine"
    SUSPECT = "suspect"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """What one look at a GPU found. `xids` are those since the look before.

    `uncorrected_ecc` counts since the driver was loaded, None where the GPU has no ECC. `answers` is False where the
    driver has lost the GPU.
    """

    xids: tuple[int, ...] = ()
    uncorrected_ecc: int | None = None
    remap_failed: bool = False
    answers: bool = True


@dataclass(frozen=True, kw_only=True)
class Judgement:
    verdict: GpuVerdict
    reason: str = ""


def judge(before: GpuReading | None, found: GpuReading) -> Judgement:
    """What `found` means after `before` (None: the first look; errors from before it are nobody's here)."""
    if not found.answers:
        return Judgement(verdict=GpuVerdict.BROKEN, reason="the driver has lost the GPU")
    if found.remap_failed:
        return Judgement(verdict=GpuVerdict.BROKEN, reason="its memory has no spare rows left")
    if broken := sorted(BROKEN_XIDS & set(found.xids)):
        return Judgement(verdict=GpuVerdict.BROKEN, reason=f"Xid {broken[0]}")
    if suspect := sorted(SUSPECT_XIDS & set(found.xids)):
        return Judgement(verdict=GpuVerdict.SUSPECT, reason=f"Xid {suspect[0]}")
    new_errors = (found.uncorrected_ecc or 0) - (before.uncorrected_ecc or 0) if before else 0
    if new_errors > 0:
        return Judgement(verdict=GpuVerdict.SUSPECT, reason=f"{new_errors} uncorrected ECC errors")
    return Judgement(verdict=GpuVerdict.FINE)
