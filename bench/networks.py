"""Full-size networks with random weights on the GPU, and inputs of a request's size."""

from __future__ import annotations

import gc
from typing import Any

import diffusers
import torch

from bench.published import DENOISERS, VAES
from models import catalog
from models.catalog import ModelSpec
from models.estimate import Work
from models.estimate.work import LatentGrid, latent_grid
from models.holocine.layout import ShotLayout
from models.holocine.shots import latent_shot_indices
from models.holocine.transformer import HoloCineTransformer3DModel

# A CPU only in the tests of this package itself, with tiny networks.
CUDA = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# HoloCine's benchmark video: 241 frames in five shots, as its own examples are cut.
HOLOCINE_CUTS = (49, 97, 145, 193)
# Tokens of the benchmark's prompts; the rest of a text is padding.
WORDS = 60


def denoiser(model_id: str, *, num_layers: int | None = None, dtype: torch.dtype = torch.bfloat16) -> Any:
    """One denoiser in `dtype`, except what its class keeps in float32; `num_layers` shortens its stacks."""
    class_name, config = DENOISERS.get(model_id) or DENOISERS["holocine-14b"]
    config = dict(config) | ({} if num_layers is None else _shortened(class_name, num_layers))
    if class_name == "WanTransformer3DModel":
        config = {"text_dim": 4096} | config
    cls = HoloCineTransformer3DModel if "holocine" in model_id else getattr(diffusers, class_name)
    network = _on_gpu(cls, config, dtype)
    if "holocine" in model_id:
        network.enable_shot_attention(sparse=model_id.endswith("sparse"))
    return network


def _shortened(class_name: str, num_layers: int) -> dict[str, int]:
    both = {"num_layers": num_layers, "num_single_layers": num_layers}
    return both if "Hunyuan" in class_name else {"num_layers": num_layers}


def vae(model_id: str, dtype: torch.dtype) -> Any:
    class_name, config = VAES.get(model_id) or VAES["holocine-14b"]
    return _on_gpu(getattr(diffusers, class_name), dict(config), dtype)


def _on_gpu(cls: Any, config: dict[str, Any], dtype: torch.dtype) -> Any:
    """Built where it runs, with the class's own initialisation."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with CUDA:
            network = cls(**config)
    finally:
        torch.set_default_dtype(before)
    for name, parameter in network.named_parameters():
        kept = any(part in name.split(".") for part in (cls._keep_in_fp32_modules or ()))
        parameter.data = parameter.data.to(torch.float32 if kept else dtype)
        parameter.requires_grad_(False)
    return network.eval()


def work_of(
    model_id: str, size: tuple[int, int] | None = None, frames: int | None = None
) -> tuple[ModelSpec, Work, LatentGrid]:
    """The request at the model's defaults, or at another size, and the latents of it."""
    spec = catalog.get(model_id)
    default = Work.default(spec)
    work = Work(
        width=size[0] if size else default.width,
        height=size[1] if size else default.height,
        num_frames=frames or default.num_frames,
        num_inference_steps=default.num_inference_steps,
        guidance_scale=default.guidance_scale,
    )
    return spec, work, latent_grid(spec, work, work.num_frames)


def inputs(
    model_id: str, grid: LatentGrid, dtype: torch.dtype = torch.bfloat16, text_tokens: int = WORDS
) -> dict[str, Any]:
    """Arguments of a forward at batch 1, as the stock pipeline hands them over. `text_tokens` of the padded text are
    words, where the model masks padding or has zeros for it."""
    spec = catalog.get(model_id)
    arch = spec.arch.denoiser
    latents = torch.randn(1, arch.in_channels, grid.frames, grid.height, grid.width, device=CUDA, dtype=dtype)
    text = torch.randn(1, arch.text_tokens, arch.text_dim, device=CUDA, dtype=dtype)
    tokens = grid.frames * grid.area // (arch.patch[1] * arch.patch[2])
    mask = torch.zeros(1, arch.text_tokens, device=CUDA, dtype=torch.bool)
    mask[:, :text_tokens] = True
    one = torch.tensor([500], device=CUDA)
    given: dict[str, Any] = {"hidden_states": latents, "timestep": one, "encoder_hidden_states": text}
    given["return_dict"] = False
    match spec.family:
        case "wan" | "holocine":
            text[:, text_tokens:] = 0
            if model_id == "wan2.2-ti2v-5b":
                given["timestep"] = torch.full((1, tokens), 500.0, device=CUDA)
            return given
        case "hunyuan_video":
            pooled = torch.randn(1, 768, device=CUDA, dtype=dtype)
            guidance = torch.tensor([6000.0], device=CUDA, dtype=dtype)
            return given | {"encoder_attention_mask": mask, "pooled_projections": pooled, "guidance": guidance}
        case "cogvideox":
            rope = tuple(torch.randn(tokens, 64, device=CUDA) for _ in range(2))
            return given | {"hidden_states": latents.transpose(1, 2), "image_rotary_emb": rope}
        case "mochi":
            return given | {"encoder_attention_mask": mask}
        case _:
            packed = torch.randn(1, tokens, arch.in_channels, device=CUDA, dtype=dtype)
            shape = {"num_frames": grid.frames, "height": grid.height, "width": grid.width}
            return given | shape | {"hidden_states": packed, "encoder_attention_mask": mask}


def shots(num_frames: int) -> ShotLayout:
    """The benchmark's cuts, those that lie within the video."""
    cuts = tuple(cut for cut in HOLOCINE_CUTS if cut < num_frames)
    return ShotLayout(shot_of_latent_frame=latent_shot_indices(cuts, num_frames), text=None)


def num_bytes(network: torch.nn.Module) -> int:
    """Of its parameters."""
    return sum(each.numel() * each.element_size() for each in network.parameters())


def release() -> None:
    """Gives freed GPU memory back, so that the next network has all of it."""
    gc.collect()
    if CUDA.type == "cuda":
        torch.cuda.empty_cache()
    forget_peaks()


def synchronize() -> None:
    """Waits for what the GPU was given to do."""
    if CUDA.type == "cuda":
        torch.cuda.synchronize()


def forget_peaks() -> None:
    if CUDA.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
