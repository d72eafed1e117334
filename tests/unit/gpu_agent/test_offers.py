"""What a machine takes itself for: without GPUs only where there is no driver at all."""

from pathlib import Path

import pytest

from gpu_agent import offers
from gpu_agent.offers import Gpu, GpusUnreadable, detect_gpus, gpus_of


def given_nvidia_smi(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_given_no_nvidia_smi_then_the_machine_has_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert detect_gpus() == ()


def test_given_gpus_that_answer_then_each_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given_nvidia_smi(monkeypatch, tmp_path, "echo '0, NVIDIA A10G, 23028'; echo '1, NVIDIA A10G, 23028'")

    assert detect_gpus() == tuple(Gpu(index=index, name="NVIDIA A10G", memory_mib=23028) for index in (0, 1))


def test_given_half_a_driver_off_ec2_then_the_processor_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given_nvidia_smi(monkeypatch, tmp_path, "echo 'No devices were found'")

    assert gpus_of("local") == ()
    with pytest.raises(GpusUnreadable):
        gpus_of("g5.12xlarge")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "version mismatch"),
        ("echo '0, NVIDIA A10G, 23028'; echo 'Unable to determine the device handle for GPU1' >&2; exit 15", "GPU1"),
        ("echo '0, NVIDIA A10G, 23028'; echo 'Unable to determine the device handle for GPU1'", "GPU1"),
        ("echo '0, NVIDIA A10G, 23028'; echo '1, [Unknown Error], [Unknown Error]'", "Unknown Error"),
        ("echo '0, [GPU is lost], 23028'", "GPU is lost"),
        ("echo 'No devices were found'", "No devices"),
        (":", "names no GPU"),
    ],
    ids=[
        "the driver fails",
        "one is lost",
        "one is lost, exit 0",
        "one has no name",
        "a name alone",
        "none",
        "silence",
    ],
)
def test_given_a_driver_that_does_not_tell_of_every_gpu_then_the_agent_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, told: str
) -> None:
    given_nvidia_smi(monkeypatch, tmp_path, script)

    with pytest.raises(GpusUnreadable, match=told):
        detect_gpus()


def test_given_a_driver_that_hangs_then_the_agent_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(offers, "NVIDIA_SMI_TIMEOUT_S", 0.2)
    given_nvidia_smi(monkeypatch, tmp_path, "exec sleep 60")

    with pytest.raises(GpusUnreadable, match="did not answer"):
        detect_gpus()
