"""Takes GPUs that break out of service: their slot ends its worker and gives its job back; the other slots go on."""

from collections.abc import Iterable

from gpu_agent.gpu_health import GpuReading, GpuVerdict, judge
from gpu_agent.logs import logger
from gpu_agent.metrics import count
from gpu_agent.nvml import Nvml, NvmlUnavailable
from gpu_agent.slot import Slot


class GpuWatch:
    """Looks at every GPU of `slots`, and tells the slot of one that is not fine."""

    def __init__(self, nvml: Nvml, slots: Iterable[Slot]) -> None:
        self._nvml = nvml
        self._slot_of = {index: slot for slot in slots for index in slot.spec.gpus}
        self._before: dict[int, GpuReading] = {}

    def turn(self) -> None:
        """One look; for a Loop."""
        for index, reading in self._nvml.look().items():
            judgement = judge(self._before.get(index), reading)
            self._before[index] = reading
            slot = self._slot_of[index]
            if judgement.verdict is GpuVerdict.FINE or slot.isolated:
                continue
            extra = {"gpu": index, "slot": slot.spec.name, "verdict": judgement.verdict, "reason": judgement.reason}
            logger.error("GPU error", extra=extra)
            count("GpuError", Verdict=judgement.verdict)
            slot.report_gpu(judgement.verdict, f"GPU {index}: {judgement.reason}")


def watch_for(slots: Iterable[Slot]) -> GpuWatch | None:
    """The watch over the slots' GPUs; None where there are none, or no driver that could tell."""
    slots = tuple(slots)
    indices = [index for slot in slots for index in slot.spec.gpus]
    if not indices:
        return None
    try:
        return GpuWatch(Nvml(indices), slots)
    except NvmlUnavailable as error:
        logger.warning("the GPUs' health is not watched", extra={"error": str(error)})
        return None
