"""The transformer against golden tensors, float32 on the CPU, every case in the folder."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from models.holocine.layout import ShotLayout
from models.holocine.transformer import HoloCineTransformer3DModel
from tests.unit.models.holocine.goldens import (
    ACTIVATION_CASES,
    FORWARD_CASES,
    assert_agrees,
    config_of,
    layouts_of,
    load_case,
    tensors_of,
)


def velocity(
    model: HoloCineTransformer3DModel, layouts: list[ShotLayout], case: str, *, context: str, window: bool
) -> Tensor:
    inputs = tensors_of(case, "inputs")
    with torch.no_grad(), model.use_shots(layouts, window=window):
        out: Tensor = model(inputs["latents"], inputs["timestep"], inputs[context]).sample
    return out


def test_the_golden_folder_holds_cases() -> None:
    assert FORWARD_CASES


@pytest.mark.parametrize("case", FORWARD_CASES)
@pytest.mark.parametrize("variant", ["full", "sparse"])
@pytest.mark.parametrize("window", [True, False], ids=["window", "nowindow"])
def test_given_golden_inputs_when_run_with_the_prompt_then_the_velocity_is_the_golden_one(
    case: str, variant: str, window: bool
) -> None:
    model = load_case(case, sparse=variant == "sparse")
    got = velocity(model, layouts_of(case), case, context="context", window=window)
    expected = tensors_of(case, "outputs")[f"sample.{variant}.{'window' if window else 'nowindow'}"]
    assert_agrees(got, expected)


@pytest.mark.parametrize("case", FORWARD_CASES)
@pytest.mark.parametrize("variant", ["full", "sparse"])
def test_given_golden_inputs_when_run_as_the_negative_pass_then_shots_stay_and_the_window_is_off(
    case: str, variant: str
) -> None:
    model = load_case(case, sparse=variant == "sparse")
    inputs = tensors_of(case, "inputs")
    # As a pipeline does it: the pass is named by cache_context.
    with torch.no_grad(), model.use_shots(layouts_of(case)), model.cache_context("uncond"):
        got = model(inputs["latents"], inputs["timestep"], inputs["context_negative"]).sample
    assert_agrees(got, tensors_of(case, "outputs")[f"sample_negative.{variant}"])


@pytest.mark.parametrize("case", FORWARD_CASES)
def test_given_golden_layouts_when_asked_for_visible_text_then_the_mask_is_the_golden_one(case: str) -> None:
    expected = tensors_of(case, "outputs")["cross_attn_allowed"].bool()
    for row, layout in enumerate(layouts_of(case)):
        for frame, shot in enumerate(layout.shot_of_latent_frame):
            mask = torch.zeros(expected.shape[-1], dtype=torch.bool)
            for start, end in layout.visible_text(shot, len(mask)):
                mask[start:end] = True
            assert torch.equal(mask, expected[row, frame]), (row, frame)


@contextmanager
def recorded(model: HoloCineTransformer3DModel) -> Iterator[dict[str, Tensor]]:
    """Activations under the names of the golden files."""
    block, embedder = model.blocks[0], model.condition_embedder
    outputs = {
        "act.text_embedding": embedder.text_embedder,
        "act.time_embedding": embedder.time_embedder,
        "act.time_projection": embedder.time_proj,
        "act.blocks.0.self_attn": block.attn1,
        "act.blocks.0.cross_attn": block.attn2,
        **{f"act.blocks.{i}.out": each for i, each in enumerate(model.blocks)},
    }
    inputs = {
        "act.blocks.0.self_attn.pre_o": block.attn1.to_out[0],
        "act.blocks.0.cross_attn.pre_o": block.attn2.to_out[0],
    }
    found: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _m, _in, out, name=name: found.update({name: out}))
        for name, module in outputs.items()
    ] + [
        module.register_forward_pre_hook(lambda _m, args, name=name: found.update({name: args[0]}))
        for name, module in inputs.items()
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


# Not every folder carries activations.
@pytest.mark.parametrize("case", ACTIVATION_CASES)
def test_given_golden_activations_when_the_primary_variant_runs_then_each_layer_agrees(case: str) -> None:
    expected = {name: t for name, t in tensors_of(case, "outputs").items() if name.startswith("act.")}
    model = load_case(case, sparse=config_of(case)["primary_variant"] == "sparse.window")
    with recorded(model) as found:
        velocity(model, layouts_of(case), case, context="context", window=True)
    assert expected
    for name, tensor in expected.items():
        got = found[name].reshape(-1, *tensor.shape[1:])[: tensor.shape[0]]
        assert_agrees(got, tensor, name)
