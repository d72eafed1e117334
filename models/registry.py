"""From a model's id to the loaded model; the family's code (and torch) is imported only then."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from models import catalog
from models.interface import UnsupportedRequest, VideoModel, WeightsError

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.lora_training.trainer import LoraTrainer
    from models.placement import Plan

_log = logging.getLogger(__name__)

CHECKPOINTS = Path(__file__).parent / "checkpoints"
STAND_IN_FOR = "wan-mini"  # the one model that must always start: `make run` works with nothing trained or fetched


def load(
    model_id: str, *, weights_dir: Path | None = None, device: str = "cpu", plan: Plan | None = None
) -> VideoModel:
    """Loads a model of the catalog through its family's `load(spec, *, weights_dir, device, plan)`.

    `weights_dir` is the folder of this model's files; None means the shipped ones (embedded models only). `device` is
    torch's name for it. Raises `models.catalog.UnknownModel`, `WeightsError`.
    """
    spec = catalog.get(model_id)
    folder = weights_dir or _shipped(spec)
    if plan is not None and plan.layout.gpus > 1:
        parallel = importlib.import_module("models.speed.parallel.model")
        return cast(VideoModel, parallel.ParallelVideoModel(spec, weights_dir=folder, device=device, plan=plan))
    family = importlib.import_module(spec.module)
    return cast(VideoModel, family.load(spec, weights_dir=folder, device=device, plan=plan))


def _shipped(spec: ModelSpec) -> Path:
    """The folder of an embedded model, or of its stand-in where the trained one has not been put there."""
    folder = CHECKPOINTS / spec.weights.repo
    if not spec.embedded:
        raise WeightsError(folder, f"{spec.id} is not shipped: its weights have to be fetched")
    if folder.is_dir() or spec.id != STAND_IN_FOR:
        return folder
    from models import tiny

    _log.warning("%s has no trained checkpoint in %s: a random-weights stand-in makes noise instead", spec.id, folder)
    return tiny.stand_in(spec.id)


def load_trainer(model_id: str, *, weights_dir: Path | None = None, device: str = "cpu") -> LoraTrainer:
    """A trainer of LoRAs for a model of the catalog; what is the family's own stands in its module `training`.

    Raises `models.catalog.UnknownModel`, `WeightsError`, and `UnsupportedRequest` for a model that cannot be trained.
    """
    import json

    spec = catalog.get(model_id)
    if spec.training is None:
        raise UnsupportedRequest(f"LoRAs for {spec.id} cannot be trained here", param="model")
    from models.lora_training.trainer import LoraTrainer

    folder = weights_dir or _shipped(spec)
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    family = importlib.import_module(f"{spec.module}.training").training_family(index)
    return LoraTrainer(spec=spec, family=family, folder=folder, device=device)
