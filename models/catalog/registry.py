"""The catalog itself: the entries found under ``models/catalog/entries`` and those registered at run time.

A new model is one module there with a tuple ``MODELS``; a deployment's own model can be registered from a module or
a JSON file instead. ``docs/adding-a-model.md`` shows both.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from models.catalog import entries
from models.catalog.spec import ModelSpec
from models.catalog.violations import CatalogError, DuplicateModel, UnknownModel


@cache
def _models() -> dict[str, ModelSpec]:
    """All models by id, filled once from the entry modules. The one mutable state of the catalog."""
    found: dict[str, ModelSpec] = {}
    for module in pkgutil.iter_modules(entries.__path__):
        _add(found, _specs_of(f"{entries.__name__}.{module.name}"))
    return found


def _specs_of(module_name: str) -> tuple[ModelSpec, ...]:
    declared = getattr(importlib.import_module(module_name), "MODELS", None)
    if not isinstance(declared, tuple) or not all(isinstance(spec, ModelSpec) for spec in declared):
        raise CatalogError(f"{module_name} must define MODELS, a tuple of ModelSpec")
    return declared


def _add(models: dict[str, ModelSpec], specs: Iterable[ModelSpec]) -> None:
    for spec in specs:
        if models.get(spec.id, spec) != spec:
            raise DuplicateModel(spec.id)
        models[spec.id] = spec


def get(model_id: str) -> ModelSpec:
    """The model of that id. Raises UnknownModel, which lists the ids there are."""
    models = _models()
    if model_id not in models:
        raise UnknownModel(model_id, tuple(sorted(models)))
    return models[model_id]


def continuing_model(spec: ModelSpec) -> ModelSpec | None:
    """The model that makes a video from a frame of this one's: itself if it takes images, else its sibling, if any.

    Raises UnknownModel if the entry names a sibling that is not there.
    """
    if "image-to-video" in spec.tasks:
        return spec
    return None if spec.continued_by is None else get(spec.continued_by)


def all_models() -> tuple[ModelSpec, ...]:
    """Every model, in the order of the ids."""
    models = _models()
    return tuple(models[model_id] for model_id in sorted(models))


def register(spec: ModelSpec) -> ModelSpec:
    """Add a model for the life of this process. Registering the same entry twice changes nothing.

    Raises DuplicateModel if another entry has the id.
    """
    _add(_models(), (spec,))
    return spec


def register_module(module_name: str) -> tuple[ModelSpec, ...]:
    """Add every ModelSpec of the importable module's tuple ``MODELS``. Raises CatalogError if it has none."""
    specs = _specs_of(module_name)
    _add(_models(), specs)
    return specs


def register_file(path: Path) -> ModelSpec:
    """Add the model that a JSON file describes (the fields of ModelSpec). Raises pydantic's ValidationError, which
    names each wrong field, or DuplicateModel."""
    return register(ModelSpec.model_validate_json(path.read_bytes()))


def unregister(model_id: str) -> None:
    """Take a model registered at run time out again. Raises UnknownModel if there is none of that id."""
    get(model_id)
    del _models()[model_id]
