"""A new family from outside the repository: the guide's own code, from its entry to frames."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import catalog, estimate, placement, registry
from models.catalog import ModelSpec
from models.interface import GenerationRequest, Step

GUIDE = Path(__file__).parents[3] / "docs" / "adding-a-model.md"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelSpec]:
    """The model that the guide adds, registered for the length of a test."""
    blocks = re.findall(r'```python title="(\w+\.py)"\n(.*?)```', GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for name, code in blocks:
        (tmp_path / name).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    (spec,) = catalog.register_module("house_entries")
    yield spec
    catalog.unregister(spec.id)
    for name, _ in blocks:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_given_the_guides_entry_when_registered_then_it_is_checked_quoted_and_placed_like_any_model(
    house: ModelSpec,
) -> None:
    work = estimate.Work.default(house)
    slot = estimate.Slot.parse("CPUx2")
    assert catalog.get("house-mini") in catalog.all_models()
    assert catalog.frames_for_seconds(house, 2) == 33
    assert estimate.estimate(house, work, slot).compute_s > 0
    assert isinstance(placement.plan(house, work, slot), placement.Plan)
    with pytest.raises(catalog.SpecViolation, match="LoRA"):
        catalog.check_loras(house, 1)


def test_given_the_guides_family_when_loaded_through_the_registry_then_it_generates(
    house: ModelSpec, tmp_path: Path
) -> None:
    model = registry.load("house-mini", weights_dir=tmp_path, device="cpu")
    default = house.default
    request = GenerationRequest(
        model=house.id,
        prompt="a red circle",
        width=default.size.width,
        height=default.size.height,
        num_frames=default.num_frames,
        fps=house.fps,
        num_inference_steps=default.num_inference_steps,
        guidance_scale=default.guidance_scale,
        seed=7,
    )
    steps: list[Step] = []
    phases: list[str] = []
    frames = list(model.generate(request, on_step=steps.append, on_phase=phases.append))
    assert [step.index for step in steps] == list(range(1, default.num_inference_steps + 1))
    assert phases == ["denoise", "decode"]
    assert len(frames) == default.num_frames
    assert frames[0].shape == (default.size.height, default.size.width, 3)
    resumed: list[Step] = []
    list(model.generate(request, resume=steps[2].snapshot(), on_step=resumed.append, on_phase=phases.append))
    assert [step.index for step in resumed] == list(range(4, default.num_inference_steps + 1))
