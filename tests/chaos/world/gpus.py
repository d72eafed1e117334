"""`python -m tests.chaos.world.gpus`: an agent that believes itself on a machine with two GPUs, which may break.

No GPU can be broken on purpose, and there is none here: the workers compute on the CPU, and the driver's library is a
stand-in that raises pynvml's own errors. The file `$STAND_IN_XIDS` lists what has happened, `GPU XID` a line.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pynvml

import gpu_agent.__main__ as agent
from gpu_agent import gpu_watch, nvml
from gpu_agent import offers as machine
from gpu_agent.worker import main as worker
from gpu_agent.worker.protocol import SlotSpec

XIDS = "STAND_IN_XIDS"
TWO = tuple(machine.Gpu(index=index, name="stand-in", memory_mib=24_000) for index in range(2))


class Event(NamedTuple):
    device: int
    eventData: int


class StandInNvml:
    """The part of pynvml that the agent uses. `answers` has, by GPU, what `temperature`, `ecc` and `rows` answer: a
    value, or an error to raise. `xids` are events to come, as (GPU, Xid)."""

    def __init__(self) -> None:
        self.xids: list[tuple[int, int]] = []
        self.answers: dict[int, dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(pynvml, name)  # its constants and its error

    def nvmlInit(self) -> None:
        return

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetIndex(self, handle: int) -> int:
        return handle

    def nvmlEventSetCreate(self) -> str:
        return "events"

    def nvmlDeviceRegisterEvents(self, handle: int, kinds: int, events: str) -> None:
        assert kinds == pynvml.nvmlEventTypeXidCriticalError

    def nvmlEventSetWait_v2(self, events: str, timeout_ms: int) -> Event:
        if not self.xids:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_TIMEOUT)
        return Event(*self.xids.pop(0))

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> Any:
        return self._answer(handle, "temperature", 40)

    def nvmlDeviceGetTotalEccErrors(self, handle: int, kind: int, counter: int) -> Any:
        return self._answer(handle, "ecc", 0)

    def nvmlDeviceGetRemappedRows(self, handle: int) -> Any:
        return self._answer(handle, "rows", (0, 0, 0, 0))

    def _answer(self, handle: int, question: str, usual: Any) -> Any:
        answer = self.answers.get(handle, {}).get(question, usual)
        if isinstance(answer, pynvml.NVMLError):
            raise answer
        return answer


class DriverByFile(StandInNvml):
    """What is written to the file has happened once."""

    def nvmlEventSetWait_v2(self, events: str, timeout_ms: int) -> Event:
        file = Path(os.environ[XIDS])
        if file.exists():
            for line in file.read_text().splitlines():
                gpu, xid = line.split()
                self.xids.append((int(gpu), int(xid)))
            file.unlink()
        return super().nvmlEventSetWait_v2(events, timeout_ms)


def on_the_cpu(slot: SlotSpec) -> str:
    import torch

    torch.set_num_threads(slot.cpu_threads)
    return "cpu"


if __name__ in {"__main__", "__mp_main__"}:  # the workers are spawned, and import this again
    worker.prepare_device = on_the_cpu

if __name__ == "__main__":
    vars(machine)["detect_gpus"] = lambda: TWO
    vars(gpu_watch)["Nvml"] = partial(nvml.Nvml, library=DriverByFile())
    os._exit(agent.main())
