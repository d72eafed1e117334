"""In what precision a model is trained on a slot, and what of the LoRA itself has to fit beside it."""

import importlib
from dataclasses import replace
from typing import Any

import diffusers
import pytest
import torch

from bench.published import DENOISERS
from models import catalog
from models.estimate import Slot
from models.estimate.training import TrainingWork
from models.placement import memory
from models.placement.training import TrainingPlacement, TrainingRefusal, plan_training

A14B = catalog.get("wan2.2-t2v-a14b")
ONE_PICTURE = TrainingWork(width=832, height=480, steps=1_500, batch_size=1, rank=16)
TRAINABLE = [spec for spec in catalog.all_models() if spec.training is not None and not spec.embedded]


def counted(model_id: str, targets: tuple[str, ...], rank: int) -> int:
    """What peft would add to the published network, which stands on the meta device."""
    class_name, config = DENOISERS[model_id]
    with torch.device("meta"):
        network: Any = getattr(diffusers, class_name)(**config)
    layers = [
        layer for name, layer in network.named_modules() if any(f".{name}".endswith(f".{each}") for each in targets)
    ]
    return sum(rank * int(layer.in_features + layer.out_features) for layer in layers)


@pytest.mark.parametrize("spec", TRAINABLE, ids=[spec.id for spec in TRAINABLE])
def test_given_a_trainable_model_when_its_lora_is_counted_then_it_is_what_its_family_targets(
    spec: catalog.ModelSpec,
) -> None:
    family = importlib.import_module(f"{spec.module}.training").training_family({})
    assert memory.lora_parameters(spec, 8) == counted(spec.id, family.targets, 8)


def test_given_rank_128_when_planned_then_the_weights_moments_and_gradients_of_both_experts_are_counted() -> None:
    parameters = memory.lora_parameters(A14B, 128)
    assert parameters == pytest.approx(613e6, rel=0.01)
    small, large = (plan_training(A14B, replace(ONE_PICTURE, rank=rank), Slot.parse("H100")) for rank in (1, 128))
    assert isinstance(small, TrainingPlacement)
    assert isinstance(large, TrainingPlacement)
    assert small.base == large.base
    # Float32 and two 8-bit moments twice, one expert's gradients.
    assert large.peak_gib - small.peak_gib > (4.6 + 2.3 + 2.3) * 0.99


def test_given_a_rank_that_does_not_fit_when_planned_then_the_refusal_names_the_largest_that_does() -> None:
    refusal = plan_training(A14B, replace(ONE_PICTURE, rank=128), Slot.parse("A10G"))
    assert isinstance(refusal, TrainingRefusal)
    assert refusal.nearest_rank is not None
    assert f"Rank {refusal.nearest_rank} would fit" in refusal.reason
    for rank, fits in ((refusal.nearest_rank, True), (refusal.nearest_rank + 1, False)):
        found = plan_training(A14B, replace(ONE_PICTURE, rank=rank), Slot.parse("A10G"))
        assert isinstance(found, TrainingPlacement) is fits


def test_given_clips_that_fit_with_no_rank_when_planned_then_no_rank_is_offered() -> None:
    refusal = plan_training(A14B, replace(ONE_PICTURE, batch_size=32), Slot.parse("A10G"))
    assert isinstance(refusal, TrainingRefusal)
    assert refusal.nearest_rank is None
    assert "would fit" not in refusal.reason


def test_given_the_default_rank_when_planned_then_a14b_trains_on_an_a10g_in_nf4() -> None:
    found = plan_training(A14B, ONE_PICTURE, Slot.parse("A10G"))
    assert isinstance(found, TrainingPlacement)
    assert found.base == "nf4"
    assert found.peak_gib > 16.1, "measured: docs/characters.md"
