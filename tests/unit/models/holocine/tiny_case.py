"""One small request on tiny weights, shared by the tests and the fresh process that resumes it.

python -m tests.unit.models.holocine.tiny_case <weights> <variant> <checkpoint> <result.npy>
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from models import catalog
from models.holocine import load
from models.interface import Checkpoint, GenerationRequest, Shot, Step, VideoModel

MODELS = {"full": "holocine-mini", "sparse": "holocine-mini-sparse"}
STEPS = 4
Frames = np.ndarray[Any, np.dtype[np.uint8]]


def open_model(folder: Path, variant: str = "full") -> VideoModel:
    model: VideoModel = load(catalog.get(MODELS[variant]), weights_dir=folder, device="cpu")
    return model


def request_for(variant: str = "full", **changes: Any) -> GenerationRequest:
    given: dict[str, Any] = {
        "model": MODELS[variant],
        "prompt": "a circle",
        "negative_prompt": "dull",
        "shots": (Shot(prompt="it moves left"), Shot(prompt="it stays"), Shot(prompt="it grows")),
        "width": 32,
        "height": 32,
        "num_frames": 17,
        "fps": 16,
        "num_inference_steps": STEPS,
        "guidance_scale": 3.0,
        "seed": 7,
    }
    return GenerationRequest(**given | changes)


def run(
    model: VideoModel, request: GenerationRequest, resume: Checkpoint | None = None
) -> tuple[Frames, list[Checkpoint], list[str]]:
    """Frames [17, height, width, 3], a checkpoint after every step, the phases."""
    checkpoints: list[Checkpoint] = []
    phases: list[str] = []

    def on_step(step: Step) -> None:
        checkpoints.append(step.snapshot())

    frames = list(model.generate(request, resume=resume, on_step=on_step, on_phase=phases.append))
    return np.stack(frames), checkpoints, phases


def main(weights: str, variant: str, checkpoint: str, result: str) -> None:
    frames, _, _ = run(open_model(Path(weights), variant), request_for(variant), Checkpoint.load(Path(checkpoint)))
    np.save(result, frames)


if __name__ == "__main__":
    main(*sys.argv[1:])
