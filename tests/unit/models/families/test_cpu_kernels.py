"""oneDNN's convolutions on the CPU: what the shipped models decode with, how near it is, and that it is asked for."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models import catalog, registry
from models.catalog import ModelSpec
from models.common.convolution import use_onednn
from models.interface import CheckpointMismatch, GenerationRequest
from models.wan import load
from tests.unit.models.families import cases

WAN_MINI = catalog.get("wan-mini")
REQUEST = GenerationRequest(
    model="wan-mini",
    prompt="a red circle moves to the left",
    width=96,
    height=160,
    num_frames=17,
    fps=16,
    num_inference_steps=2,
    guidance_scale=1.0,
    seed=1,
)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that run, by name."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[func.name()] += 1
        return func(*args, **(kwargs or {}))


def generated(spec: ModelSpec) -> tuple[np.ndarray, Counter[str]]:
    model = load(spec, weights_dir=registry.CHECKPOINTS / "wan-mini", device="cpu", plan=None)
    with Operations() as operations:
        frames = cases.frames_of(model, REQUEST)
    return frames, operations.calls


def test_given_the_shipped_model_then_onednn_decodes_and_is_at_most_one_step_of_255_off_the_stock_kernels() -> None:
    fast, fast_calls = generated(WAN_MINI)
    stock, stock_calls = generated(WAN_MINI.variant(cpu_kernels="stock"))

    assert stock_calls["aten::mkldnn_convolution"] == 0
    by_onednn = fast_calls["aten::mkldnn_convolution"]
    assert by_onednn == stock_calls["aten::convolution"] - fast_calls["aten::convolution"] > 0
    off = np.abs(fast.astype(int) - stock.astype(int))
    assert stock.std() > 1, "a flat video would be near anything"
    assert off.max() <= 1
    assert (off > 0).mean() < 0.001


def test_given_a_checkpoint_of_the_other_kernels_then_refused_for_the_numerics() -> None:
    folder = registry.CHECKPOINTS / "wan-mini"
    fast, stock = (
        load(spec, weights_dir=folder, device="cpu", plan=None)
        for spec in (WAN_MINI, WAN_MINI.variant(cpu_kernels="stock"))
    )

    with pytest.raises(CheckpointMismatch) as refusal:
        cases.frames_of(stock, REQUEST, resume=cases.checkpoint_after(fast, REQUEST, 1))

    assert refusal.value.fields == ("numerics",)


def test_given_published_models_then_they_keep_the_stock_kernels() -> None:
    assert {spec.id for spec in catalog.all_models() if spec.cpu_kernels != "stock"} == {
        spec.id for spec in catalog.all_models() if spec.embedded
    }


@pytest.mark.parametrize(
    "layer",
    [
        torch.nn.Conv3d(4, 6, (3, 1, 1)),
        torch.nn.Conv3d(4, 6, 3, stride=(1, 2, 2), padding=(0, 1, 1), bias=False),
        torch.nn.Conv3d(4, 8, 3, groups=2, dilation=(1, 2, 2)),
    ],
)
@torch.no_grad()
def test_given_any_kind_of_layer_then_onednn_agrees_with_it_and_other_dtypes_go_the_old_way(
    layer: torch.nn.Conv3d,
) -> None:
    torch.manual_seed(3)
    given = torch.randn(2, 4, 5, 9, 7)
    expected, in_double = layer(given), layer.double()(given.double())
    layer.float()

    use_onednn(layer)

    torch.testing.assert_close(layer(given), expected, rtol=0, atol=1e-5)
    assert torch.equal(layer.double()(given.double()), in_double)
