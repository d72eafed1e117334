"""From an id to a model: shipped ones, the stand-in, weights that are elsewhere, and a family of one's own."""

import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import catalog, registry
from models.interface import GenerationRequest, WeightsError
from tests.unit.models.families import cases

THE_MODEL = object()


@pytest.fixture
def nothing_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no checkpoint has been put in place."""
    monkeypatch.setattr(registry, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_given_no_trained_wan_mini_then_a_stand_in_makes_frames_and_the_log_says_what_it_is(
    nothing_trained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = registry.load("wan-mini")

    frames = cases.frames_of(
        model,
        GenerationRequest(
            model="wan-mini",
            prompt="a red circle",
            width=32,
            height=32,
            num_frames=5,
            fps=16,
            num_inference_steps=2,
            guidance_scale=3.0,
            seed=1,
        ),
    )

    assert frames.shape == (5, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert "random-weights stand-in" in caplog.text


def test_given_another_shipped_model_that_is_not_there_then_the_missing_file_is_named(nothing_trained: Path) -> None:
    with pytest.raises(WeightsError, match=r"model_index\.json"):
        registry.load("wan-mini-i2v")


def test_given_a_model_that_is_not_shipped_and_no_folder_then_it_says_that_weights_have_to_be_fetched() -> None:
    with pytest.raises(WeightsError, match="have to be fetched"):
        registry.load("wan2.2-t2v-a14b")


def test_given_an_unknown_id_then_the_known_ones_are_listed() -> None:
    with pytest.raises(catalog.UnknownModel, match="wan-mini"):
        registry.load("sora-3")


@pytest.fixture
def own_family(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """A family that is not in this repository: one module, one catalog entry."""
    calls: list[dict[str, Any]] = []
    module = types.ModuleType("studio_family")

    def load(spec: catalog.ModelSpec, **where: Any) -> object:
        calls.append({"id": spec.id, **where})
        return THE_MODEL

    module.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "studio_family", module)
    spec = catalog.get("wan-mini")
    catalog.register(
        catalog.ModelSpec.model_validate(
            spec.model_dump() | {"id": "studio-one", "family": "studio", "family_module": "studio_family"}
        )
    )
    yield calls
    catalog.unregister("studio-one")


def test_given_a_module_and_a_catalog_entry_of_ones_own_then_the_registry_loads_it(
    own_family: list[dict[str, Any]], tmp_path: Path
) -> None:
    loaded = registry.load("studio-one", weights_dir=tmp_path, device="cuda:1")

    assert loaded is THE_MODEL
    assert own_family == [{"id": "studio-one", "weights_dir": tmp_path, "device": "cuda:1", "plan": None}]


def test_given_the_interface_and_the_registry_are_imported_then_torch_is_not() -> None:
    program = "import sys, models.interface, models.registry; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
