"""From a model's id to the loaded model; the family's code (and torch) is imported only then."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from models import catalog
from models.interface import VideoModel, WeightsError

if TYPE_CHECKING:
    from models.placement import Plan

CHECKPOINTS = Path(__file__).parent / "checkpoints"


def load(
    model_id: str, *, weights_dir: Path | None = None, device: str = "cpu", plan: Plan | None = None
) -> VideoModel:
    """Loads a model of the catalog through its family's `load(spec, *, weights_dir, device, plan)`.

    `weights_dir` is the folder of this model's files; None means the shipped ones (embedded models only). `device` is
    torch's name for it. Raises `models.catalog.UnknownModel`, `WeightsError`.
    """
    spec = catalog.get(model_id)
    folder = weights_dir or CHECKPOINTS / model_id
    if weights_dir is None and not spec.embedded:
        raise WeightsError(folder, f"{model_id} is not shipped: its weights have to be fetched")
    family = importlib.import_module(spec.module)
    return cast(VideoModel, family.load(spec, weights_dir=folder, device=device, plan=plan))
