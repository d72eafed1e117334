"""Memory of the attention grows with the tokens, not with their square; batches may mix shot layouts."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.holocine.errors import ShotError, ShotLayoutMissing
from models.holocine.layout import ShotLayout
from models.holocine.prompt import TextRanges
from models.holocine.transformer import HoloCineTransformer3DModel

TEXT = TextRanges(global_caption=(0, 3), shots=((3, 5), (5, 8), (8, 10)))
LENGTH = 16


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Elements of the largest tensor that any operation gives back."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elements: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.elements = max(self.elements, leaf.untyped_storage().nbytes() // leaf.element_size())
        return out


def transformer(*, sparse: bool, **changes: Any) -> HoloCineTransformer3DModel:
    torch.manual_seed(11)
    sizes: dict[str, Any] = {
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "text_dim": 8,
        "freq_dim": 16,
        "ffn_dim": 32,
        "num_layers": 1,
        **changes,
    }
    model: HoloCineTransformer3DModel = HoloCineTransformer3DModel(**sizes).eval()
    return model.enable_shot_attention(sparse=sparse)


def inputs(frames: int, side: int, *, batch: int = 1, length: int = LENGTH) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    return (
        torch.randn(batch, 16, frames, side, side, generator=rng),
        torch.full((batch,), 500.0),
        torch.randn(batch, length, 8, generator=rng),
    )


def three_shots(frames: int) -> ShotLayout:
    return ShotLayout(shot_of_latent_frame=tuple(3 * f // frames for f in range(frames)), text=TEXT)


@pytest.mark.parametrize("sparse", [False, True], ids=["full", "sparse"])
def test_given_many_tokens_when_run_then_no_tensor_has_tokens_times_tokens_elements(sparse: bool) -> None:
    model = transformer(sparse=sparse)

    def largest(frames: int) -> int:
        with torch.no_grad(), model.use_shots(three_shots(frames)), LargestTensor() as seen:
            model(*inputs(frames, 32))
        return int(seen.elements)

    tokens = 12 * 16 * 16
    once, twice = largest(12), largest(24)
    assert twice <= 2.1 * once
    assert twice < (2 * tokens) ** 2 / 10


@pytest.mark.parametrize("sparse", [False, True], ids=["full", "sparse"])
def test_given_a_batch_of_differently_cut_videos_when_run_then_each_is_as_if_alone(sparse: bool) -> None:
    model = transformer(sparse=sparse)
    other_text = TextRanges(global_caption=(0, 2), shots=((2, 6), (6, 9)))
    layouts = [
        three_shots(6),
        ShotLayout(shot_of_latent_frame=(0, 0, 1, 1, 1, 1), text=other_text),
        ShotLayout(shot_of_latent_frame=three_shots(6).shot_of_latent_frame, text=None),
        ShotLayout(shot_of_latent_frame=(0, 0, 0, 0, 1, 1), text=other_text),
    ]
    latents, timestep, context = inputs(6, 8, batch=4)
    with torch.no_grad(), model.use_shots(layouts):
        together = model(latents, timestep, context).sample
    for row, layout in enumerate(layouts):
        with torch.no_grad(), model.use_shots(layout):
            alone = model(latents[row : row + 1], timestep[:1], context[row : row + 1]).sample
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-5)


def test_given_gradients_when_trained_with_shots_then_every_parameter_gets_one() -> None:
    model = transformer(sparse=True).train()
    with model.use_shots(three_shots(6)):
        model(*inputs(6, 8)).sample.square().mean().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("sparse", [False, True], ids=["full", "sparse"])
def test_given_compiled_blocks_when_the_pass_changes_then_each_is_one_graph_with_the_same_result(sparse: bool) -> None:
    model = transformer(sparse=sparse)

    def both_passes() -> list[Tensor]:
        outputs = []
        for name in ("cond", "uncond"):
            with torch.no_grad(), model.use_shots(three_shots(6)), model.cache_context(name):
                outputs.append(model(*inputs(6, 8)).sample)
        return outputs

    eager = both_passes()
    model.compile_repeated_blocks(fullgraph=True, backend="eager")  # raises where the graph breaks
    for before, after in zip(eager, both_passes(), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
    assert not torch.equal(eager[0], eager[1])


@pytest.mark.parametrize("sparse", [False, True], ids=["full", "sparse"])
def test_given_compiled_blocks_when_texts_of_other_lengths_follow_then_no_graph_breaks(sparse: bool) -> None:
    model = transformer(sparse=sparse)

    def every_length() -> list[Tensor]:
        with torch.no_grad(), model.use_shots(three_shots(6)):
            return [model(*inputs(6, 8, length=length)).sample for length in (LENGTH, LENGTH + 2, LENGTH + 8)]

    eager = every_length()
    model.compile_repeated_blocks(fullgraph=True, backend="eager")
    for before, after in zip(eager, every_length(), strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-6)


def test_given_a_bfloat16_run_when_the_timestep_is_between_its_steps_then_it_is_rounded_as_in_training() -> None:
    model = transformer(sparse=False).to(torch.bfloat16)
    latents, _, context = (t.to(torch.bfloat16) for t in inputs(6, 8))
    seen: list[Tensor] = []
    model.condition_embedder.timesteps_proj.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad(), model.use_shots(three_shots(6)):
        model(latents, torch.tensor([987.39]), context)
    assert seen[0].tolist() == [988.0]


def test_given_no_layout_when_run_then_the_caller_is_told() -> None:
    with pytest.raises(ShotLayoutMissing):
        transformer(sparse=False)(*inputs(6, 8))


def test_given_a_layout_of_another_length_when_run_then_it_is_refused() -> None:
    model = transformer(sparse=True)
    with pytest.raises(ShotError), model.use_shots(three_shots(7)):
        model(*inputs(6, 8))


def test_given_patches_over_several_latent_frames_when_enabled_then_they_are_refused() -> None:
    with pytest.raises(ShotError):
        transformer(sparse=False, patch_size=(2, 2, 2))
