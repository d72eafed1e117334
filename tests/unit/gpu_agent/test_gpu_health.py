"""What the driver says of a GPU, and what that means for its slot."""

import pynvml
import pytest

from gpu_agent.gpu_health import GpuReading, GpuVerdict, judge
from gpu_agent.loops import PASSING_ERRORS
from gpu_agent.nvml import Nvml, NvmlUnavailable
from tests.chaos.world.gpus import StandInNvml

CLEAN = GpuReading(uncorrected_ecc=0)
UNKNOWN_HERE = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.mark.parametrize(
    ("before", "found", "verdict"),
    [
        (None, CLEAN, GpuVerdict.FINE),
        (CLEAN, GpuReading(xids=(13, 31, 43), uncorrected_ecc=0), GpuVerdict.FINE),
        (CLEAN, GpuReading(xids=(13, 79), uncorrected_ecc=0), GpuVerdict.BROKEN),
        (CLEAN, GpuReading(xids=(94, 95)), GpuVerdict.BROKEN),
        (CLEAN, GpuReading(xids=(63,)), GpuVerdict.SUSPECT),
        (CLEAN, GpuReading(uncorrected_ecc=1), GpuVerdict.SUSPECT),
        (GpuReading(uncorrected_ecc=1), GpuReading(uncorrected_ecc=1), GpuVerdict.FINE),
        (None, GpuReading(uncorrected_ecc=7), GpuVerdict.FINE),
        (None, GpuReading(remap_failed=True), GpuVerdict.BROKEN),
        (CLEAN, GpuReading(answers=False), GpuVerdict.BROKEN),
        (GpuReading(), GpuReading(), GpuVerdict.FINE),
    ],
)
def test_given_what_a_look_finds_then_only_new_errors_of_the_hardware_count(
    before: GpuReading | None, found: GpuReading, verdict: GpuVerdict
) -> None:
    judgement = judge(before, found)
    assert judgement.verdict is verdict
    assert bool(judgement.reason) == (verdict is not GpuVerdict.FINE)


def test_given_events_of_several_gpus_then_each_reading_has_its_own_and_only_once() -> None:
    driver = StandInNvml()
    nvml = Nvml((0, 2), library=driver)
    driver.xids += [(2, 79), (0, 13), (2, 48)]

    assert {index: reading.xids for index, reading in nvml.look().items()} == {0: (13,), 2: (79, 48)}
    assert {index: reading.xids for index, reading in nvml.look().items()} == {0: (), 2: ()}


@pytest.mark.parametrize(
    ("answers", "reading"),
    [
        ({"ecc": 3, "rows": (1, 1, 0, 1)}, GpuReading(uncorrected_ecc=3, remap_failed=True)),
        ({"ecc": UNKNOWN_HERE, "rows": UNKNOWN_HERE}, GpuReading()),
        ({"temperature": pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)}, GpuReading(answers=False)),
        ({"ecc": pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)}, GpuReading(answers=False)),
    ],
)
def test_given_one_gpus_answers_then_they_are_read_and_the_other_is_clean(
    answers: dict[str, object], reading: GpuReading
) -> None:
    driver = StandInNvml()
    driver.answers[1] = answers

    assert Nvml((0, 1), library=driver).look() == {0: CLEAN, 1: reading}


def test_given_a_driver_that_fails_then_the_watch_may_try_again() -> None:
    driver = StandInNvml()
    driver.answers[0] = {"ecc": pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)}

    with pytest.raises(PASSING_ERRORS, match="Insufficient Permissions"):
        Nvml((0,), library=driver).look()


def test_given_a_machine_without_a_driver_then_it_says_so() -> None:
    with pytest.raises(NvmlUnavailable):
        Nvml((0,))
