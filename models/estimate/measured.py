"""The rates that the estimate rests on beside the slots' own: `measured.json`, to correct when something is measured.

``measured`` figures name machine and date or software; ``estimated`` ones stand until a benchmark (`make bench-gpu`) or
Calibration says better.
"""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

Part = Literal["text", "denoise", "vae"]


class Figure(NamedTuple):
    """A number, whether it was ``measured`` or ``estimated``, and on what or why."""

    value: float
    source: Literal["measured", "estimated"]
    basis: str


def _by_part(figures: dict[str, Any]) -> dict[Part, Figure]:
    return {part: Figure(**figures[part]) for part in get_args(Part)}


_FIGURES: dict[str, Any] = json.loads(Path(__file__).with_name("measured.json").read_text("utf-8"))

# Share of the slot's matrix-product rate that each part reaches.
GPU_EFFICIENCY = _by_part(_FIGURES["gpu_efficiency"])
CPU_EFFICIENCY = _by_part(_FIGURES["cpu_efficiency"])
STEP_OVERHEAD_S = Figure(**_FIGURES["step_overhead_s"])
OUTPUT_PIXELS_PER_S = Figure(**_FIGURES["output_pixels_per_s"])
PUBLISH_S = Figure(**_FIGURES["publish_s"])
BOOT = Figure(**_FIGURES["boot_s"])
