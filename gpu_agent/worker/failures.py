"""From an exception in the worker to whose fault it is."""

import errno
import re

from gpu_agent.worker.protocol import FailureKind
from models.interface import LoraError, UnsupportedRequest, WeightsError
from models.weights.errors import WeightsUnavailable

# EFBIG is what a quota on file size answers, ENOSPC and EDQUOT a full disk, EIO a broken one.
DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_RUST_ERRNO = re.compile(r"\(os error (\d+)\)")
MAX_MESSAGE_CHARS = 500


def classify(error: BaseException) -> tuple[FailureKind, str]:
    """The kind and a short code for programs."""
    if isinstance(error, UnsupportedRequest | LoraError):
        return FailureKind.REQUEST, "lora_rejected" if isinstance(error, LoraError) else "unsupported_request"
    if isinstance(error, WeightsUnavailable):
        return FailureKind.MACHINE, "weights_unavailable"
    if is_disk_error(error):  # also where it was met while weights were read, which names their folder
        return FailureKind.MACHINE, "disk"
    if isinstance(error, WeightsError):
        return FailureKind.WORKER, "weights_unusable"
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return FailureKind.WORKER, "out_of_memory"
    if "uncorrectable ECC error" in str(error):  # CUDA's words for cudaErrorECCUncorrectable
        return FailureKind.GPU, "gpu_memory_error"
    if name == "AcceleratorError" or "CUDA error" in str(error):
        return FailureKind.DEVICE, "device_error"
    return FailureKind.WORKER, "generation_error"


def is_disk_error(error: BaseException) -> bool:
    """Whether the local disk is full, over quota or broken."""
    if _errno(error) in DISK_ERRNOS:
        return True
    return error.__cause__ is not None and is_disk_error(error.__cause__)


def is_missing_file(error: BaseException) -> bool:
    """Whether the file, or its folder, is not there."""
    return _errno(error) == errno.ENOENT


def _errno(error: BaseException) -> int | None:
    """The system's number for `error`; Rust libraries tell it in their message alone."""
    if type(error).__name__ == "SafetensorError":
        told = _RUST_ERRNO.search(str(error))
        return int(told[1]) if told else None
    number = getattr(error, "errno", None)  # OSError, and what PyAV makes of FFmpeg's codes
    return number if isinstance(number, int) else None


def describe(error: BaseException) -> str:
    """One line for people."""
    return f"{type(error).__name__}: {error}"[:MAX_MESSAGE_CHARS]
