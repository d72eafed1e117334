"""What the NVIDIA driver says of this machine's GPUs, by NVML (nvidia-ml-py)."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

from gpu_agent.gpu_health import GpuReading

# What NVML answers for a GPU that is gone.
_LOST = ("NVML_ERROR_GPU_IS_LOST", "NVML_ERROR_GPU_NOT_FOUND", "NVML_ERROR_RESET_REQUIRED", "NVML_ERROR_UNKNOWN")


class NvmlUnavailable(Exception):
    """There is no driver to ask, or it cannot tell of errors: the GPUs' health is not watched."""


class Nvml:
    """The GPUs `indices` (as nvidia-smi numbers them). `library` is pynvml, or a test's stand-in for it."""

    def __init__(self, indices: Collection[int], *, library: Any = None) -> None:
        """Raises NvmlUnavailable."""
        if library is None:
            import pynvml

            library = pynvml
        self._nvml = library
        self._lost_codes = {getattr(library, name) for name in _LOST}
        try:
            library.nvmlInit()
            self._handles = {index: library.nvmlDeviceGetHandleByIndex(index) for index in indices}
            self._events = library.nvmlEventSetCreate()
            for handle in self._handles.values():
                library.nvmlDeviceRegisterEvents(handle, library.nvmlEventTypeXidCriticalError, self._events)
        except library.NVMLError as error:
            raise NvmlUnavailable(str(error)) from error

    def look(self) -> dict[int, GpuReading]:
        """One reading a GPU, with the Xids since the last look. Does not wait. Raises OSError where NVML fails."""
        try:
            xids = self._new_xids()
            return {index: self._read(index, tuple(xids[index])) for index in self._handles}
        except self._nvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from error

    def _new_xids(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        while True:
            try:
                event = self._nvml.nvmlEventSetWait_v2(self._events, 0)
                found[self._nvml.nvmlDeviceGetIndex(event.device)].append(int(event.eventData))
            except self._nvml.NVMLError as error:
                if error.value == self._nvml.NVML_ERROR_TIMEOUT:
                    return found
                if error.value not in self._lost_codes:
                    raise
                return found  # the reading of the GPU itself says that it is lost

    def _read(self, index: int, xids: tuple[int, ...]) -> GpuReading:
        nvml, handle = self._nvml, self._handles[index]
        try:
            nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)  # every GPU that lives answers this
            uncorrected = (nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC)
            errors = self._ask(nvml.nvmlDeviceGetTotalEccErrors, handle, *uncorrected)
            rows = self._ask(nvml.nvmlDeviceGetRemappedRows, handle)
        except nvml.NVMLError as error:
            if error.value not in self._lost_codes:
                raise
            return GpuReading(xids=xids, answers=False)
        return GpuReading(xids=xids, uncorrected_ecc=errors, remap_failed=rows is not None and bool(rows[3]))

    def _ask(self, question: Callable[..., Any], *about: Any) -> Any:
        """The answer, None where this kind of GPU has none."""
        try:
            return question(*about)
        except self._nvml.NVMLError as error:
            if error.value != self._nvml.NVML_ERROR_NOT_SUPPORTED:
                raise
            return None
