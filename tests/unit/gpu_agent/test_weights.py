"""Which models a machine offers by where their files lie, and whose fault it is when they do not come."""

import errno
from pathlib import Path

import pytest

from gpu_agent.offers import Gpu, abilities
from gpu_agent.worker.failures import classify
from gpu_agent.worker.protocol import FailureKind
from models.interface import WeightsError
from models.weights.errors import DiskFull, WeightsUnavailable

A10G = (Gpu(index=0, name="NVIDIA A10G", memory_mib=22_888),)


def offered(weights_dir: Path, in_bucket: tuple[str, ...] = (), gpus: tuple[Gpu, ...] = A10G) -> set[str]:
    return {ability.model for ability in abilities(gpus, weights_dir, in_bucket) if ability.runnable}


def test_given_weights_in_the_bucket_or_on_the_disk_then_their_models_are_offered(tmp_path: Path) -> None:
    shipped = offered(tmp_path)
    (tmp_path / "mochi-1").mkdir()

    assert "wan-mini" in shipped
    assert offered(tmp_path, ("wan2.2-ti2v-5b",)) - shipped == {"wan2.2-ti2v-5b", "mochi-1"}


def test_given_no_gpu_then_a_model_of_the_bucket_is_not_offered_and_the_reason_is_told(tmp_path: Path) -> None:
    assert "mochi-1" not in offered(tmp_path, ("mochi-1",), gpus=())
    reasons = {ability.model: ability.reason for ability in abilities((), tmp_path, ("mochi-1",))}
    assert "no NVIDIA GPU" in str(reasons["mochi-1"])
    assert "revalida weights pull" in str(reasons["ltx-video"])


def unreadable(file: Path) -> WeightsError:
    """As a loader names the file under which the disk failed."""
    error = WeightsError(file, "input/output error")
    error.__cause__ = OSError(errno.EIO, "broken disk")
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (WeightsUnavailable("the bucket does not answer"), FailureKind.MACHINE),
        (DiskFull(Path("weights"), needed_bytes=2**36, free_bytes=2**30), FailureKind.MACHINE),
        (OSError(errno.EIO, "broken disk"), FailureKind.MACHINE),
        (unreadable(Path("vae/x.safetensors")), FailureKind.MACHINE),
        (WeightsError(Path("vae/x.safetensors"), "SHA-256 differs"), FailureKind.WORKER),
    ],
)
def test_given_weights_that_do_not_come_then_the_job_is_not_to_blame_and_bad_ones_count_as_a_crash(
    error: Exception, kind: FailureKind
) -> None:
    assert classify(error)[0] is kind
