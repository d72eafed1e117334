"""The counted arithmetic against torch's own counter, on the real classes at full size.

Models stand on the meta device: no memory, no arithmetic, only shapes. Every row of the project's table of models is
here, and the parameter counts of every part.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import diffusers
import pytest
import torch
import transformers
from torch.fx.experimental import _config as fx_config
from torch.utils.flop_counter import FlopCounterMode

from bench.published import DENOISERS, VAES
from models import catalog, estimate
from models.catalog import ModelSpec
from models.estimate.denoiser import forward_flops
from models.estimate.flops import text_flops, vae_decode_flops, vae_encode_flops
from models.estimate.work import LatentGrid, Work, latent_grid
from training.networks.autoencoder import build_autoencoder
from training.networks.transformer import SIZES, build_transformer

TOLERANCE = 0.02
PARAMETER_TOLERANCE = 0.001

# (model, width, height, frames, TFLOP of a forward and of the VAE's decoding as the project's facts give them)
ROWS = [
    ("wan2.2-t2v-a14b", 832, 480, 81, 1678, 275),
    ("wan2.2-t2v-a14b", 1280, 720, 81, 6523, 639),
    ("wan2.2-i2v-a14b", 832, 480, 81, 1678, 275),
    ("wan2.2-ti2v-5b", 1280, 704, 121, 521, 2011),
    ("holocine-14b", 832, 480, 241, 9740, 819),
    ("hunyuan-video", 960, 544, 129, 4285, 1673),
    ("hunyuan-video", 1280, 720, 129, 12069, 3000),
    ("cogvideox-5b", 720, 480, 49, 332, 315),
    ("mochi-1", 848, 480, 85, 603, 579),
    ("ltx-video", 704, 512, 161, 37, 51),
]
rows = pytest.mark.parametrize(
    ("model_id", "width", "height", "num_frames", "forward_tf", "decode_tf"),
    ROWS,
    ids=[f"{row[0]} {row[1]}x{row[2]}x{row[3]}" for row in ROWS],
)


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, device="meta", dtype=torch.bfloat16)


def counted(run: Callable[[], object]) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def num_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def work_of(spec: ModelSpec, width: int, height: int, num_frames: int) -> tuple[Work, LatentGrid]:
    work = Work(
        width=width,
        height=height,
        num_frames=num_frames,
        num_inference_steps=spec.default.num_inference_steps,
        guidance_scale=spec.default.guidance_scale,
    )
    return work, latent_grid(spec, work, num_frames)


@cache
def _built(class_name: str, config: tuple[tuple[str, Any], ...]) -> Any:
    with torch.device("meta"):
        return getattr(diffusers, class_name)(**dict(config)).to(torch.bfloat16).eval()


def built(table: dict[str, tuple[str, dict[str, Any]]], model_id: str) -> Any:
    class_name, config = table[model_id]
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
    return _built(class_name, tuple(frozen.items()))


def run_denoiser(model_id: str, grid: LatentGrid) -> Callable[[], object]:
    spec = catalog.get(model_id)
    arch = spec.arch.denoiser
    model = built(DENOISERS, model_id)
    latents = empty(1, arch.in_channels, grid.frames, grid.height, grid.width)
    text = empty(1, arch.text_tokens, arch.text_dim)
    mask = torch.ones(1, arch.text_tokens, device="meta", dtype=torch.bool)
    one = torch.empty(1, device="meta")
    tokens = grid.frames * grid.area // (arch.patch[1] * arch.patch[2])
    if spec.family in ("wan", "holocine"):
        per_token = model_id == "wan2.2-ti2v-5b"
        return lambda: model(latents, torch.empty(1, tokens, device="meta") if per_token else one, text)
    if spec.family == "hunyuan_video":
        return lambda: model(latents, one.long(), text, mask, empty(1, 768), guidance=empty(1))
    if spec.family == "cogvideox":
        rope = (torch.empty(tokens, 64, device="meta"), torch.empty(tokens, 64, device="meta"))
        return lambda: model(latents.transpose(1, 2), text, one, image_rotary_emb=rope)
    if spec.family == "mochi":
        return lambda: model(latents, text, one, mask)
    packed = empty(1, tokens, arch.in_channels)
    return lambda: model(packed, text, one, mask, num_frames=grid.frames, height=grid.height, width=grid.width)


@rows
def test_given_a_row_of_the_table_when_counting_a_forward_then_it_agrees_with_torch(
    model_id: str,
    width: int,
    height: int,
    num_frames: int,
    forward_tf: float,
    decode_tf: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = catalog.get(model_id)
    _, grid = work_of(spec, width, height, num_frames)
    if spec.family == "mochi":
        # Its rotary embedding opens an autocast region, which the meta device does not know, and its attention
        # selects the tokens that the mask lets through: all of them.
        monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
        monkeypatch.setattr(fx_config, "meta_nonzero_assume_all_nonzero", True)
    counted_flops = counted(run_denoiser(model_id, grid))
    predicted = forward_flops(spec.arch.denoiser, grid, has_image=False)
    assert predicted == pytest.approx(counted_flops, rel=TOLERANCE)
    assert predicted / 1e12 == pytest.approx(forward_tf, rel=TOLERANCE)


@rows
def test_given_a_row_of_the_table_when_counting_the_decoding_then_it_agrees_with_torch(
    model_id: str, width: int, height: int, num_frames: int, forward_tf: float, decode_tf: float
) -> None:
    spec = catalog.get(model_id)
    _, grid = work_of(spec, width, height, num_frames)
    vae = built(VAES, model_id)
    latents = empty(1, spec.arch.vae.channels, grid.frames, grid.height, grid.width)
    predicted = vae_decode_flops(spec.arch.vae, grid)
    assert predicted == pytest.approx(counted(lambda: vae.decode(latents)), rel=TOLERANCE)
    assert predicted / 1e12 == pytest.approx(decode_tf, rel=TOLERANCE)


@pytest.mark.parametrize(
    "model_id", ["wan2.2-i2v-a14b", "wan2.2-ti2v-5b", "hunyuan-video", "cogvideox-5b", "ltx-video"]
)
def test_given_an_input_image_when_counting_its_encoding_then_it_agrees_with_torch(model_id: str) -> None:
    spec = catalog.get(model_id)
    vae_arch = spec.arch.vae
    grid = LatentGrid(frames=5, height=16, width=24, shots=(5,))
    frames = (grid.frames - 1) * vae_arch.temporal + 1 if vae_arch.encodes == "video" else 1
    video = empty(1, 3, frames, grid.height * vae_arch.spatial, grid.width * vae_arch.spatial)
    vae = built(VAES, model_id)
    assert vae_encode_flops(vae_arch, grid) == pytest.approx(counted(lambda: vae.encode(video)), rel=TOLERANCE)


@pytest.mark.parametrize("model_id", sorted(DENOISERS))
def test_given_the_published_configuration_when_built_then_the_denoisers_parameters_are_the_catalogs(
    model_id: str,
) -> None:
    assert num_parameters(built(DENOISERS, model_id)) == catalog.get(model_id).arch.denoiser.parameters


@pytest.mark.parametrize(
    ("model_id", "published"),
    [
        ("wan2.2-t2v-a14b", 14.3e9),
        ("wan2.2-ti2v-5b", 5.0e9),
        ("hunyuan-video", 12.8e9),
        ("cogvideox-5b", 5.57e9),
        ("mochi-1", 10.0e9),
        ("ltx-video", 1.92e9),
    ],
)
def test_given_the_published_size_when_compared_then_the_catalog_has_the_same(model_id: str, published: float) -> None:
    assert catalog.get(model_id).arch.denoiser.parameters == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize("model_id", sorted(VAES))
def test_given_the_published_configuration_when_built_then_the_vaes_parameters_are_the_catalogs(model_id: str) -> None:
    vae, arch = built(VAES, model_id), catalog.get(model_id).arch.vae
    assert num_parameters(vae) == arch.parameters
    assert num_parameters(vae.decoder) == arch.decoder_parameters


def t5_config(vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "d_model": 4096,
        "d_kv": 64,
        "num_heads": 64,
        "d_ff": 10240,
        "num_layers": 24,
        "feed_forward_proj": "gated-gelu",
    }


def llama_config() -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=128320,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
    )


def clip_text() -> transformers.CLIPTextModel:
    return transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
        )
    )


def llava() -> transformers.LlavaForConditionalGeneration:
    eyes = transformers.CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
    )
    return transformers.LlavaForConditionalGeneration(
        transformers.LlavaConfig(vision_config=eyes, text_config=llama_config())
    )


TEXT_ENCODERS: list[tuple[str, int, Callable[[], torch.nn.Module]]] = [
    ("wan2.2-t2v-a14b", 0, lambda: transformers.UMT5EncoderModel(transformers.UMT5Config(**t5_config(256384)))),
    ("cogvideox-5b", 0, lambda: transformers.T5EncoderModel(transformers.T5Config(**t5_config(32128)))),
    ("mochi-1", 0, lambda: transformers.T5EncoderModel(transformers.T5Config(**t5_config(32128)))),
    ("ltx-video", 0, lambda: transformers.T5EncoderModel(transformers.T5Config(**t5_config(32128)))),
    ("hunyuan-video", 0, lambda: transformers.LlamaModel(llama_config())),
    ("hunyuan-video", 1, clip_text),
]


@pytest.mark.parametrize(
    ("model_id", "index", "build"), TEXT_ENCODERS, ids=[f"{row[0]} {row[1]}" for row in TEXT_ENCODERS]
)
def test_given_a_text_encoder_when_built_then_its_flops_and_parameters_are_the_catalogs(
    model_id: str, index: int, build: Callable[[], torch.nn.Module]
) -> None:
    arch = catalog.get(model_id).arch.text[index]
    with torch.device("meta"):
        encoder = build().eval()
        prompt = torch.zeros(1, arch.tokens, dtype=torch.long)
    assert num_parameters(encoder) == pytest.approx(arch.parameters, rel=PARAMETER_TOLERANCE)
    assert text_flops(arch, has_image=False) == pytest.approx(counted(lambda: encoder(prompt)), rel=TOLERANCE)


def test_given_the_encoder_with_eyes_when_built_then_its_parameters_are_the_catalogs() -> None:
    with torch.device("meta"):
        encoder = llava()
    assert num_parameters(encoder) == catalog.get("hunyuan-video-i2v").arch.text[0].parameters


@pytest.mark.parametrize(
    ("row", "total_pf"),
    list(
        zip(
            [row for row in ROWS if row[0] != "wan2.2-i2v-a14b"],
            [134, 522, 52, 974, 214, 603, 33, 77, 3.7],
            strict=True,
        )
    ),
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else str(value),
)
def test_given_the_default_steps_and_guidance_when_summed_then_the_denoising_is_the_tables(
    row: tuple[str, int, int, int, float, float], total_pf: float
) -> None:
    model_id, width, height, num_frames, _, _ = row
    spec = catalog.get(model_id)
    work, _ = work_of(spec, width, height, num_frames)
    assert estimate.flops(spec, work).denoise_pf == pytest.approx(total_pf, rel=TOLERANCE)


@pytest.mark.parametrize(("model_id", "in_channels"), [("wan-mini", 16), ("wan-mini-i2v", 36), ("holocine-mini", 16)])
def test_given_a_mini_model_as_trained_when_built_then_its_flops_and_parameters_are_the_catalogs(
    model_id: str, in_channels: int
) -> None:
    arch = catalog.get(model_id).arch
    grid = LatentGrid(frames=9, height=16, width=16, shots=(9,))
    with torch.device("meta"):
        model = build_transformer(SIZES[model_id], in_channels).eval()
        vae = build_autoencoder().eval()
        latents = torch.empty(1, in_channels, grid.frames, grid.height, grid.width)
        text = torch.empty(1, arch.denoiser.text_tokens, arch.denoiser.text_dim)
        timestep = torch.empty(1)
    assert num_parameters(model) == arch.denoiser.parameters
    assert num_parameters(vae) == arch.vae.parameters
    forward = counted(lambda: model(latents, timestep, text))
    decode = counted(lambda: vae.decode(latents[:, :16]))
    assert forward_flops(arch.denoiser, grid, has_image=False) == pytest.approx(forward, rel=TOLERANCE)
    assert vae_decode_flops(arch.vae, grid) == pytest.approx(decode, rel=TOLERANCE)
