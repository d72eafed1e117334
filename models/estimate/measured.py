"""The rates that the estimate rests on beside the slots' own: one place to correct when something is measured.

``measured`` figures name machine and date or software; ``estimated`` ones stand until a benchmark, or Calibration,
says better.
"""

from typing import Literal, NamedTuple

Part = Literal["text", "denoise", "vae"]


class Figure(NamedTuple):
    """A number, whether it was ``measured`` or ``estimated``, and on what or why."""

    value: float
    source: Literal["measured", "estimated"]
    basis: str


# Share of the slot's matrix-product rate that each part reaches.
GPU_EFFICIENCY: dict[Part, Figure] = {
    "text": Figure(0.30, "estimated", "a few hundred tokens do not fill a GPU"),
    "denoise": Figure(
        0.72,
        "measured",
        "544 of 756 TFLOP/s: one H200, torch 2.11, diffusers 0.42.1, Wan A14B 480x832x81, stock, not compiled",
    ),
    "vae": Figure(0.25, "estimated", "convolutions a few frames at a time, limited by memory"),
}
CPU_EFFICIENCY: dict[Part, Figure] = {
    "text": Figure(0.36, "estimated", "as denoising"),
    "denoise": Figure(
        0.36, "measured", "wan-mini: 27 of a core's 75 GFLOP/s, torch 2.13, development machine (shared), 2026-11-22"
    ),
    "vae": Figure(
        0.5,
        "estimated",
        "wan-mini by oneDNN: 57 GFLOP (33 frames, 128x128) in 1.1 s of CPU time, 51 of 75 GFLOP/s a core, torch 2.13, "
        "development machine (shared), 2026-11-26. Somewhat less, since one core waits at times",
    ),
}
STEP_OVERHEAD_S = Figure(0.02, "estimated", "kernel launches, scheduler and progress of one step")
OUTPUT_PIXELS_PER_S = Figure(60e6, "estimated", "x264 on 4 cores, thumbnail and spritesheet beside it")
PUBLISH_S = Figure(1.0, "estimated", "upload and the last writes")
BOOT = Figure(150.0, "estimated", "from RunInstances to an agent that polls, drivers and wheels in the AMI")
