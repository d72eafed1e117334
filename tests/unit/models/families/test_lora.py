"""LoRAs by request: what is applied is what stock diffusers applies, and what is gone leaves no trace."""

import dataclasses
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from models.common.lora import LoraSwitch
from models.common.residency import Places, Residency
from models.interface import LoraError, LoraRef
from models.placement.plan import Mode
from tests.unit.models.families import cases
from tests.unit.models.families.test_residency import PLACES, needs_gpu, open_model

CASE = cases.CASES["wan-t2v-two-experts"]
LAYERS = ("blocks.0.attn1.to_q", "blocks.1.attn2.to_k", "blocks.1.ffn.net.2")
WIDTH, FFN = 24, 32  # of the tiny transformer


def make_lora(path: Path, *, seed: int, prefix: str = "transformer.", layers: tuple[str, ...] = LAYERS) -> Path:
    torch.manual_seed(seed)
    state = {}
    for layer in layers:
        fan_in = FFN if "ffn" in layer else WIDTH
        state[f"{prefix}{layer}.lora_A.weight"] = torch.randn(2, fan_in)
        state[f"{prefix}{layer}.lora_B.weight"] = torch.randn(WIDTH, 2)
    save_file(state, path)
    return path


@pytest.fixture
def style(tmp_path: Path) -> LoraRef:
    return LoraRef(path=make_lora(tmp_path / "style.safetensors", seed=1), scale=0.8, name="style")


@pytest.fixture
def person(tmp_path: Path) -> LoraRef:
    return LoraRef(
        path=make_lora(tmp_path / "person.safetensors", seed=2, layers=LAYERS[:1]), scale=-0.5, name="person"
    )


def stock_frames(folder: Path, loras: tuple[LoraRef, ...]) -> np.ndarray:
    def with_loras(pipe: Any) -> None:
        for second in (False, True):
            for lora in loras:
                pipe.load_lora_weights(
                    str(lora.path.parent),
                    weight_name=lora.path.name,
                    adapter_name=lora.name,
                    load_into_transformer_2=second,
                )
        pipe.set_adapters([lora.name for lora in loras], [lora.scale for lora in loras])

    return cases.stock_frames(CASE, folder, prepare=with_loras)


def test_given_several_loras_with_scales_then_frames_equal_stock_diffusers_with_both_experts(
    style: LoraRef, person: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)

    frames = cases.frames_of(cases.load(CASE, folder), cases.request(CASE, folder, loras=(style, person)))

    np.testing.assert_array_equal(frames, stock_frames(folder, (style, person)))


@pytest.mark.parametrize("name", ["hunyuan-t2v", "cogvideox-t2v", "mochi-t2v", "ltx-t2v"])
def test_given_a_lora_for_another_family_then_frames_equal_stock_diffusers_and_the_base_comes_back(
    name: str, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    case, folder = cases.CASES[name], weights_of(name)
    model, plain = cases.load(case, folder), cases.request(case, folder)
    base = cases.frames_of(model, plain)
    transformer = model._pipelines.generation(with_image=False).transformer
    layer, width = next(
        (layer, module.weight.shape)
        for layer, module in transformer.named_modules()
        if layer.startswith("transformer_blocks.0.") and layer.endswith(".to_q")
    )
    torch.manual_seed(6)
    state = {
        f"transformer.{layer}.lora_A.weight": torch.randn(2, width[1]),
        f"transformer.{layer}.lora_B.weight": torch.randn(width[0], 2),
    }
    save_file(state, tmp_path / "style.safetensors")
    lora = LoraRef(path=tmp_path / "style.safetensors", scale=0.7, name="style")

    frames = cases.frames_of(model, cases.request(case, folder, loras=(lora,)))

    def with_lora(pipe: Any) -> None:
        pipe.load_lora_weights(str(tmp_path), weight_name="style.safetensors", adapter_name="style")
        pipe.set_adapters(["style"], [0.7])

    assert not np.array_equal(frames, base)
    np.testing.assert_array_equal(frames, cases.stock_frames(case, folder, prepare=with_lora))
    np.testing.assert_array_equal(cases.frames_of(model, plain), base)


def test_given_loras_that_come_and_go_then_the_base_comes_back_bit_for_bit(
    style: LoraRef, person: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    model, plain = cases.load(CASE, folder), cases.request(CASE, folder)
    base = cases.frames_of(model, plain)
    with_style = cases.frames_of(model, cases.request(CASE, folder, loras=(style,)))
    with_person = cases.frames_of(model, cases.request(CASE, folder, loras=(person,)))

    assert not np.array_equal(base, with_style)
    assert not np.array_equal(with_style, with_person)
    np.testing.assert_array_equal(cases.frames_of(model, plain), base)
    np.testing.assert_array_equal(cases.frames_of(model, cases.request(CASE, folder, loras=(style,))), with_style)


def test_given_a_switch_of_loras_then_the_base_is_not_read_again(
    style: LoraRef, person: LoraRef, weights_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(weights_of(CASE.name), folder)
    model = cases.load(CASE, folder)
    first = cases.frames_of(model, cases.request(CASE, folder, loras=(style,)))
    shutil.rmtree(folder)

    cases.frames_of(model, cases.request(CASE, folder, loras=(person,)))

    np.testing.assert_array_equal(cases.frames_of(model, cases.request(CASE, folder, loras=(style,))), first)


def test_given_more_loras_than_are_kept_then_the_oldest_leave_the_network_and_the_base_is_untouched(
    tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    network = cases.load(CASE, folder)._pipelines.generation(with_image=False).transformer
    base = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    switch = LoraSwitch(CASE.stock, {"high_noise": network}, kept=2)
    loras = [
        LoraRef(path=make_lora(tmp_path / f"{seed}.safetensors", seed=seed), scale=1.0, name=str(seed))
        for seed in range(3)
    ]

    for lora in loras:
        switch.activate((lora,))
    switch.activate(())

    assert len(network.peft_config) == 2
    under = {name.replace(".base_layer", ""): tensor for name, tensor in network.state_dict().items()}
    assert all(torch.equal(under[name], tensor) for name, tensor in base.items())
    switch.activate((loras[0],))
    assert len(network.peft_config) == 2, "the one that had gone is loaded again, and another goes"


@pytest.mark.parametrize("denoiser", ["on-demand", "streamed"])
def test_given_a_denoiser_that_is_not_kept_on_the_device_then_a_lora_does_the_same_to_it(
    denoiser: Mode, style: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    model = cases.load(CASE, folder)
    pipelines = model._pipelines
    pipelines.residency = dataclasses.replace(pipelines.residency, denoiser=denoiser)
    pipelines.places = Places(pipelines.residency, pipelines.device)
    base = cases.frames_of(model, cases.request(CASE, folder))

    frames = cases.frames_of(model, cases.request(CASE, folder, loras=(style,)))

    np.testing.assert_array_equal(frames, stock_frames(folder, (style,)))
    np.testing.assert_array_equal(cases.frames_of(model, cases.request(CASE, folder)), base)


def test_given_a_denoiser_that_streams_from_the_disk_then_an_active_lora_lies_where_it_computes(
    style: LoraRef, weights_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meta device stands in for a GPU: what is left on the host would meet tensors of another device there."""
    monkeypatch.setattr(torch, "meta", SimpleNamespace(), raising=False)  # diffusers asks for the device's own module
    network = diffusers.WanTransformer3DModel.from_pretrained(weights_of(CASE.name) / "transformer")
    places = Places(Residency(**PLACES[-1]), torch.device("meta"))
    places.settle(denoisers=[network], vae=torch.nn.Module())

    LoraSwitch(CASE.stock, {"high_noise": network}).activate((style,))

    where = [tensor.device.type for name, tensor in network.named_parameters() if ".lora_" in name]
    assert where == ["meta"] * 2 * len(LAYERS)
    places.close()


def test_given_a_denoiser_that_streams_from_the_disk_when_its_oldest_lora_goes_then_its_weights_are_its_own(
    style: LoraRef, person: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    model, plain = open_model(CASE, folder, Residency(**PLACES[-1]), "cpu"), cases.request(CASE, folder)
    base = cases.frames_of(model, plain)
    pipe = model._pipelines.generation(with_image=False)
    model._loras = LoraSwitch(CASE.stock, {"high_noise": pipe.transformer, "low_noise": pipe.transformer_2}, kept=1)
    cases.frames_of(model, cases.request(CASE, folder, loras=(style,)))

    with_person = cases.frames_of(model, cases.request(CASE, folder, loras=(person,)))

    # Tensors of a file are aligned otherwise than the allocator's, and a CPU then rounds other sums.
    np.testing.assert_allclose(with_person.astype(int), stock_frames(folder, (person,)).astype(int), atol=1)
    np.testing.assert_array_equal(cases.frames_of(model, plain), base)
    model.unload()


@needs_gpu
@pytest.mark.parametrize("places", PLACES[1:])
def test_given_a_gpu_when_a_lora_comes_goes_and_comes_again_then_it_does_what_it_does_to_a_resident_denoiser(
    places: dict[str, Any], style: LoraRef, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    plain, styled = cases.request(CASE, folder), cases.request(CASE, folder, loras=(style,))
    resident = open_model(CASE, folder, Residency(**PLACES[0]), "cuda")
    model = open_model(CASE, folder, Residency(**places), "cuda")

    for asked in (styled, plain, styled):
        np.testing.assert_array_equal(cases.frames_of(model, asked), cases.frames_of(resident, asked))
    model.unload()


def scaled_by_header(path: Path, source: Path, **config: Any) -> LoraRef:
    """`source` as peft and our training write it: how strong it is stands in the header, by network."""
    tagged = {f"transformer.{key}": value for key, value in {"r": 2, "target_modules": ["to_q"], **config}.items()}
    save_file(load_file(source), path, metadata={"format": "pt", "lora_adapter_metadata": json.dumps(tagged)})
    return LoraRef(path=path, scale=0.8, name=path.stem)


@pytest.mark.parametrize(
    "config",
    [
        {"lora_alpha": 8.0},
        {"lora_alpha": 1.0, "alpha_pattern": {"blocks.1.attn2.to_k": 6.0, "ffn.net.2": 3.0}},
        {"lora_alpha": 2.0, "use_rslora": True},
    ],
    ids=["one alpha", "some layers' own", "rank-stabilised"],
)
def test_given_a_scale_in_the_header_then_frames_equal_stock_diffusers(
    config: dict[str, Any], style: LoraRef, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    strong = scaled_by_header(tmp_path / "strong.safetensors", style.path, **config)
    model = cases.load(CASE, folder)
    unscaled = cases.frames_of(model, cases.request(CASE, folder, loras=(style,)))

    frames = cases.frames_of(model, cases.request(CASE, folder, loras=(strong,)))

    assert not np.array_equal(frames, unscaled)
    np.testing.assert_array_equal(frames, stock_frames(folder, (strong,)))


def test_given_a_header_that_would_rebuild_the_network_then_its_scale_alone_is_taken(
    style: LoraRef, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    plain = scaled_by_header(tmp_path / "plain.safetensors", style.path, lora_alpha=8.0)
    pissa = scaled_by_header(
        tmp_path / "pissa.safetensors",
        style.path,
        lora_alpha=8.0,
        init_lora_weights="pissa",
        r=10**9,
        alpha_pattern={"([a-z0-9_.]+)+!": 2.0},  # as a regular expression it takes for ever
    )
    model = cases.load(CASE, folder)
    base = cases.frames_of(model, cases.request(CASE, folder))

    frames = cases.frames_of(model, cases.request(CASE, folder, loras=(pissa,)))

    np.testing.assert_array_equal(frames, cases.frames_of(model, cases.request(CASE, folder, loras=(plain,))))
    np.testing.assert_array_equal(cases.frames_of(model, cases.request(CASE, folder)), base)


def test_given_alphas_in_the_tensors_then_the_headers_is_passed_over(
    style: LoraRef, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    state = load_file(style.path) | {f"transformer.{layer}.alpha": torch.tensor(2.0) for layer in LAYERS}
    save_file(state, tmp_path / "with_alphas.safetensors")
    both = scaled_by_header(tmp_path / "both.safetensors", tmp_path / "with_alphas.safetensors", lora_alpha=8.0)
    model = cases.load(CASE, folder)

    frames = cases.frames_of(model, cases.request(CASE, folder, loras=(both,)))

    np.testing.assert_array_equal(frames, cases.frames_of(model, cases.request(CASE, folder, loras=(style,))))


@pytest.mark.parametrize(
    "config",
    [{"lora_alpha": None}, {"lora_alpha": 1, "alpha_pattern": [2]}],
)
def test_given_a_header_whose_alphas_are_unreadable_then_refused(
    config: dict[str, Any], style: LoraRef, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    lora = scaled_by_header(tmp_path / "broken.safetensors", style.path, **config)

    with pytest.raises(LoraError, match="header"):
        cases.frames_of(cases.load(CASE, folder), cases.request(CASE, folder, loras=(lora,)))


def test_given_a_lora_for_one_expert_then_only_that_expert_has_it(
    tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    model = cases.load(CASE, folder)
    path = make_lora(tmp_path / "pair.safetensors", seed=3)
    high, low, both = (
        cases.frames_of(
            model,
            cases.request(CASE, folder, loras=(LoraRef(path=path, scale=1.0, name="pair", experts=experts),)),
        )
        for experts in ("high_noise", "low_noise", "both")
    )

    assert not np.array_equal(high, low)
    assert not np.array_equal(high, both)
    assert not np.array_equal(low, both)


def test_given_a_lora_in_wans_original_layout_then_it_does_what_its_diffusers_twin_does(
    tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    model = cases.load(CASE, folder)
    torch.manual_seed(4)
    down, up = torch.randn(2, WIDTH), torch.randn(WIDTH, 2)
    original, twin = {}, {}
    for block in range(2):
        for theirs, ours in (("self_attn.q", "attn1.to_q"), ("cross_attn.v", "attn2.to_v")):
            original[f"diffusion_model.blocks.{block}.{theirs}.lora_A.weight"] = down.clone()
            original[f"diffusion_model.blocks.{block}.{theirs}.lora_B.weight"] = up.clone()
            twin[f"transformer.blocks.{block}.{ours}.lora_A.weight"] = down.clone()
            twin[f"transformer.blocks.{block}.{ours}.lora_B.weight"] = up.clone()
    save_file(original, tmp_path / "original.safetensors")
    save_file(twin, tmp_path / "twin.safetensors")

    frames = [
        cases.frames_of(
            model,
            cases.request(CASE, folder, loras=(LoraRef(path=tmp_path / f"{name}.safetensors", scale=1.0, name=name),)),
        )
        for name in ("original", "twin")
    ]

    np.testing.assert_array_equal(frames[0], frames[1])


@pytest.mark.parametrize(
    "layer", ["blocks.7.attn1.to_q", "blocks.0.attn1.norm_of_nothing", "blocks.0.attn1.to_q.deeper"]
)
def test_given_keys_that_match_nothing_then_refused_naming_them(
    layer: str, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    path = make_lora(tmp_path / "stray.safetensors", seed=5, layers=(*LAYERS, layer))

    with pytest.raises(LoraError) as refusal:
        cases.frames_of(
            cases.load(CASE, folder),
            cases.request(CASE, folder, loras=(LoraRef(path=path, scale=1.0, name="stray"),)),
        )

    assert refusal.value.keys == (f"transformer.{layer}.lora_A.weight", f"transformer.{layer}.lora_B.weight")
    assert refusal.value.keys[0] in str(refusal.value)


def test_given_a_text_encoder_lora_then_refused_naming_its_keys(
    tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    path = make_lora(tmp_path / "text.safetensors", seed=5, prefix="text_encoder.", layers=LAYERS[:1])

    with pytest.raises(LoraError, match=r"text_encoder\.blocks"):
        cases.frames_of(
            cases.load(CASE, folder), cases.request(CASE, folder, loras=(LoraRef(path=path, scale=1.0, name="text"),))
        )


def test_given_a_lora_of_another_width_then_refused_and_the_model_is_as_before(
    tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    model, plain = cases.load(CASE, folder), cases.request(CASE, folder)
    base = cases.frames_of(model, plain)
    key = f"transformer.{LAYERS[0]}"
    save_file(
        {f"{key}.lora_A.weight": torch.ones(2, 5120), f"{key}.lora_B.weight": torch.ones(5120, 2)},
        tmp_path / "wide.safetensors",
    )

    with pytest.raises(LoraError, match="does not fit"):
        cases.frames_of(
            model,
            cases.request(CASE, folder, loras=(LoraRef(path=tmp_path / "wide.safetensors", scale=1.0, name="wide"),)),
        )

    np.testing.assert_array_equal(cases.frames_of(model, plain), base)


@pytest.mark.parametrize(
    ("name", "content"), [("style.pt", pickle.dumps({})), ("style.safetensors", b"\x80\x04K\x01.")]
)
def test_given_a_file_that_is_no_safetensors_then_refused_by_name(
    name: str, content: bytes, tmp_path: Path, weights_of: Callable[[str], Path]
) -> None:
    folder = weights_of(CASE.name)
    (tmp_path / name).write_bytes(content)

    with pytest.raises(LoraError) as refusal:
        cases.frames_of(
            cases.load(CASE, folder),
            cases.request(CASE, folder, loras=(LoraRef(path=tmp_path / name, scale=1.0, name="style"),)),
        )

    assert name in str(refusal.value)
