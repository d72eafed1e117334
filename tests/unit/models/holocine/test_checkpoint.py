"""HoloCine's checkpoint files: names, strict loading, the full-size configuration."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.holocine.checkpoint import load_expert, save_expert
from models.holocine.checkpoint_keys import to_diffusers, to_original
from models.interface import WeightsError
from tests.unit.models.holocine.goldens import FORWARD_CASES, GOLDENS, config_of, load_case, transformer_config

CASE = FORWARD_CASES[0]
WEIGHTS = GOLDENS / CASE / "weights.safetensors"


def load_changed(tensors: dict[str, Tensor], folder: Path) -> Any:
    path = folder / "full_high_noise.safetensors"
    save_file(tensors, path)
    return load_expert(path, transformer_config(config_of(CASE)["model"]), sparse=False, dtype=torch.float32)


def test_given_the_full_size_configuration_when_built_then_it_has_the_published_parameters_and_tensors() -> None:
    with torch.device("meta"):
        model = WanTransformer3DModel()
    names = [name for name, _ in model.named_parameters()]
    assert len(names) == 1095
    assert sum(p.numel() for p in model.parameters()) == 14_288_491_584
    assert [to_diffusers(to_original(name)) for name in names] == names
    assert to_original("blocks.39.norm2.weight") == "blocks.39.norm3.weight"
    assert to_original("scale_shift_table") == "head.modulation"


def test_given_a_golden_checkpoint_when_saved_again_then_its_tensors_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "again.safetensors"
    save_expert(load_case(CASE, sparse=False), path)
    before, after = load_file(WEIGHTS), load_file(path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_given_a_missing_tensor_when_loaded_then_it_is_named_and_not_filled_with_zeros(tmp_path: Path) -> None:
    tensors = load_file(WEIGHTS)
    del tensors["blocks.0.cross_attn.o.bias"]
    with pytest.raises(WeightsError, match=r"1 missing: blocks\.0\.attn2\.to_out\.0\.bias"):
        load_changed(tensors, tmp_path)


def test_given_an_extra_tensor_when_loaded_then_it_is_named(tmp_path: Path) -> None:
    tensors = load_file(WEIGHTS) | {"shot_embedding.weight": torch.zeros(2)}
    with pytest.raises(WeightsError, match=r"unexpected: shot_embedding\.weight"):
        load_changed(tensors, tmp_path)


def test_given_a_block_too_many_when_loaded_then_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"unexpected: blocks\.99\.norm2\.bias"):
        load_changed(load_file(WEIGHTS) | {"blocks.99.norm3.bias": torch.zeros(2)}, tmp_path)


def test_given_a_tensor_of_another_shape_when_loaded_then_both_shapes_are_told(tmp_path: Path) -> None:
    tensors = load_file(WEIGHTS)
    tensors["head.head.bias"] = torch.zeros(3)
    with pytest.raises(WeightsError, match=r"proj_out\.bias \(3,\), not \(64,\)"):
        load_changed(tensors, tmp_path)


def test_given_a_truncated_file_when_loaded_then_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "full_low_noise.safetensors"
    path.write_bytes(WEIGHTS.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="full_low_noise"):
        load_expert(path, transformer_config(config_of(CASE)["model"]), sparse=False, dtype=torch.float32)


def test_given_bfloat16_when_loaded_then_norms_and_time_embedding_stay_float32() -> None:
    model = load_expert(WEIGHTS, transformer_config(config_of(CASE)["model"]), sparse=False, dtype=torch.bfloat16)
    kept = {name for name, p in model.named_parameters() if p.dtype == torch.float32}
    assert model.dtype == torch.bfloat16
    assert "condition_embedder.time_embedder.linear_1.weight" in kept
    assert "blocks.0.scale_shift_table" in kept
    assert "blocks.0.attn1.to_q.weight" not in kept
