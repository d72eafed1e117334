"""From an exception in the worker to whose fault it is."""

import errno

from gpu_agent.worker.protocol import FailureKind
from models.interface import LoraError, UnsupportedRequest, WeightsError
from models.weights.errors import WeightsUnavailable

# EFBIG is what a quota on file size answers, ENOSPC and EDQUOT a full disk, EIO a broken one.
DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_DISK_TEXTS = tuple(f"os error {number}" for number in DISK_ERRNOS)
MAX_MESSAGE_CHARS = 500


def classify(error: BaseException) -> tuple[FailureKind, str]:
    """The kind and a short code for programs."""
    if isinstance(error, UnsupportedRequest | LoraError):
        return FailureKind.REQUEST, "lora_rejected" if isinstance(error, LoraError) else "unsupported_request"
    if isinstance(error, WeightsUnavailable):
        return FailureKind.MACHINE, "weights_unavailable"
    if isinstance(error, WeightsError):
        return FailureKind.WORKER, "weights_unusable"
    if is_disk_error(error):
        return FailureKind.MACHINE, "disk"
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return FailureKind.WORKER, "out_of_memory"
    if "uncorrectable ECC error" in str(error):  # CUDA's words for cudaErrorECCUncorrectable
        return FailureKind.GPU, "gpu_memory_error"
    if name == "AcceleratorError" or "CUDA error" in str(error):
        return FailureKind.DEVICE, "device_error"
    return FailureKind.WORKER, "generation_error"


def is_disk_error(error: BaseException) -> bool:
    """Whether the local disk is full, over quota or broken; Rust libraries say so in their message alone."""
    if getattr(error, "errno", None) in DISK_ERRNOS:  # OSError, and what PyAV makes of FFmpeg's codes
        return True
    if type(error).__name__ == "SafetensorError" and any(text in str(error) for text in _DISK_TEXTS):
        return True
    return error.__cause__ is not None and is_disk_error(error.__cause__)


def describe(error: BaseException) -> str:
    """One line for people."""
    return f"{type(error).__name__}: {error}"[:MAX_MESSAGE_CHARS]
