"""The predicted activations against those of the stock classes, followed tensor by tensor on the meta device.

Every storage an operation makes is counted from its making to its end, as an allocator would; attention counts as
fused. What is left out are kernels' workspaces, which the placement's reserve stands for.
"""

import weakref
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from models import catalog
from models.estimate.work import LatentGrid, Work
from models.placement import memory
from models.speed.first_block import share
from models.wan.decode import stream_decode

GIB = 2.0**30


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the storages that operations made and nobody has dropped yet, and their peak."""

    def __init__(self, owned: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: int = 0
        self.peak: int = 0
        self._seen = {weight.untyped_storage()._cdata for weight in owned.parameters()}

    def _free(self, storage_id: int, num_bytes: int) -> None:
        self._seen.discard(storage_id)
        self.live -= num_bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.live)
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self.live += storage.nbytes()
            weakref.finalize(storage, self._free, storage._cdata, storage.nbytes())


def followed_gib(owned: torch.nn.Module, run: Callable[[], object]) -> float:
    live = LiveBytes(owned)
    with torch.no_grad(), live:
        run()
    return live.peak / GIB


@pytest.fixture(autouse=True)
def _fused_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    def fused(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **_: object) -> torch.Tensor:
        return query.new_empty(*query.shape[:-1], value.shape[-1])

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused)


def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.empty(*shape, device="meta", dtype=dtype)


# Two layers show the same peak as all of them: blocks free what they make.
A14B = {"num_layers": 2}
TI2V = {
    "num_layers": 2,
    "num_attention_heads": 24,
    "ffn_dim": 14336,
    "in_channels": 48,
    "out_channels": 48,
}


@pytest.mark.parametrize(
    ("model_id", "config", "frames", "height", "width"),
    [
        ("wan2.2-t2v-a14b", A14B, 21, 60, 104),
        ("wan2.2-t2v-a14b", A14B, 21, 90, 160),
        ("holocine-14b", A14B, 61, 60, 104),
        ("wan2.2-ti2v-5b", TI2V, 31, 44, 80),
    ],
)
def test_given_a_wan_denoiser_when_followed_then_its_activations_are_the_predicted(
    model_id: str, config: dict[str, int], frames: int, height: int, width: int
) -> None:
    arch = catalog.get(model_id).arch.denoiser
    tokens = frames * height * width // 4
    with torch.device("meta"):
        model = diffusers.WanTransformer3DModel(**config).to(torch.bfloat16).eval()
    timestep = torch.empty(1, tokens if model_id == "wan2.2-ti2v-5b" else 1, device="meta").squeeze(0)
    if timestep.numel() > 1:
        timestep = timestep.unsqueeze(0)
    latents = empty(1, arch.in_channels, frames, height, width)
    followed = followed_gib(model, lambda: model(latents, timestep, empty(1, 512, 4096)))
    predicted = tokens * arch.activation_bytes_per_token / GIB
    assert followed == pytest.approx(predicted, rel=0.10)


def test_given_passes_that_share_the_first_block_when_followed_then_it_takes_no_more_than_the_predicted() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    with torch.device("meta"):
        stock = diffusers.WanTransformer3DModel(**A14B).to(torch.bfloat16).eval()
        model = diffusers.WanTransformer3DModel(**A14B).to(torch.bfloat16).eval()
    share(model)
    latents, timestep = empty(1, 16, 21, 60, 104), torch.empty(1, device="meta")

    def guided_gib(network: torch.nn.Module) -> float:
        def both() -> None:
            for _ in range(2):
                network(hidden_states=latents, timestep=timestep, encoder_hidden_states=empty(1, 512, 4096))

        return followed_gib(network, both)

    alone, shared = guided_gib(stock), guided_gib(model)
    predicted = memory.shared_gib(spec, Work.default(spec))
    assert 0 < shared - alone <= 1.01 * predicted


# Class, dtype and latent frames, height and width: the defaults, or for HunyuanVideo, whose passes are all alike, less.
VAES: dict[str, tuple[str, torch.dtype, tuple[int, int, int]]] = {
    "wan2.2-t2v-a14b": ("AutoencoderKLWan", torch.float32, (9, 60, 104)),
    "hunyuan-video": ("AutoencoderKLHunyuanVideo", torch.float16, (9, 34, 60)),
    "cogvideox-5b": ("AutoencoderKLCogVideoX", torch.bfloat16, (7, 60, 90)),
    "mochi-1": ("AutoencoderKLMochi", torch.bfloat16, (15, 60, 106)),
    "ltx-video": ("AutoencoderKLLTXVideo", torch.bfloat16, (21, 16, 22)),
}


@pytest.mark.parametrize("model_id", sorted(VAES))
def test_given_a_vae_when_followed_then_decoding_peaks_at_the_predicted(model_id: str) -> None:
    class_name, dtype, (frames, height, width) = VAES[model_id]
    spec = catalog.get(model_id)
    with torch.device("meta"):
        vae = getattr(diffusers, class_name)().to(dtype).eval()
    grid = LatentGrid(frames=frames, height=height, width=width, shots=(frames,))
    latents = empty(1, spec.arch.vae.channels, grid.frames, grid.height, grid.width, dtype=dtype)
    followed = followed_gib(vae, lambda: vae.decode(latents))
    assert memory.grid_decode_gib(spec, grid, tiled=False) == pytest.approx(followed, rel=0.10)


def followed_in_pieces_gib(grid: LatentGrid, *, strips: int) -> float:
    """Of Wan A14B's autoencoder, in strips or, with none, in the class's own tiles."""
    with torch.device("meta"):
        vae = diffusers.AutoencoderKLWan().eval()
    vae.enable_tiling()
    latents = empty(1, 16, grid.frames, grid.height, grid.width, dtype=torch.float32)
    return followed_gib(vae, lambda: list(stream_decode(vae, latents, strips=strips)))


@pytest.mark.parametrize("count", [2, 3])
def test_given_strips_when_followed_then_decoding_never_peaks_over_the_predicted(count: int) -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    grid = LatentGrid(frames=2, height=56, width=96, shots=(2,))
    followed = followed_in_pieces_gib(grid, strips=count)
    room_gib = memory.pieces_gib(spec.arch.vae, grid, memory.strip_cells(spec.arch.vae, grid, count), 4)
    assert memory.strips(spec.arch.vae, grid, 4, room_gib) == count
    assert followed <= room_gib
    assert followed < memory.grid_decode_gib(spec, grid, tiled=False)


def test_given_a_tiled_vae_when_followed_then_decoding_never_peaks_over_the_predicted() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    grid = LatentGrid(frames=2, height=56, width=56, shots=(2,))
    followed = followed_in_pieces_gib(grid, strips=0)
    assert followed <= memory.grid_decode_gib(spec, grid, tiled=True)
    assert followed < memory.grid_decode_gib(spec, grid, tiled=False) / 2
