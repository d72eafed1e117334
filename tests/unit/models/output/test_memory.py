"""The frames of a video are never in memory together: a longer one takes no more."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.output import CODECS

SHORT, LONG, SIDE = 60, 300, 320
MORE_RAW_MIB = (LONG - SHORT) * SIDE * SIDE * 3 / 2**20


@pytest.mark.parametrize("codec", CODECS)
def test_given_a_video_five_times_as_long_then_writing_it_takes_no_more_memory(codec: str, tmp_path: Path) -> None:
    worker = [sys.executable, "-m", "tests.unit.models.output.write_worker", str(SHORT), str(LONG), str(SIDE)]
    told = subprocess.run([*worker, str(tmp_path), codec], check=True, capture_output=True, text=True, timeout=300)

    short_mib, more_mib = map(float, told.stdout.split())
    assert MORE_RAW_MIB > 70
    assert short_mib > 1  # else what is measured is no memory of the encoder's
    assert more_mib < 0.2 * MORE_RAW_MIB
