"""LoRA adapters by request: audited, kept, switched by scale, and off without a trace.

diffusers passes over keys that match nothing in silence; here every key must belong to a layer of the model. An
inactive adapter costs memory, not arithmetic: peft then runs the base layer alone, so the result is the base's, bit
for bit.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

import torch
from diffusers.utils import delete_adapter_layers
from safetensors import SafetensorError
from safetensors.torch import load_file

from models.common.fingerprint import file_sha256
from models.common.lora_scale import header_alphas
from models.interface import LoraError, LoraRef

DEFAULT_KEPT = 8
_PARAMETER = re.compile(r"\.(lora_[AB]\.(weight|bias)|lora\.(up|down)\.weight|alpha)$")
_PREFIX = "transformer."
_ALPHA = ".alpha"


class LoraSwitch:
    """The adapters of one pipeline's denoisers.

    `denoisers` maps the expert's name (`high_noise`, `low_noise`; a single transformer has any one name) to its
    network; `pipeline_class` knows the file dialects of its family.
    """

    def __init__(self, pipeline_class: Any, denoisers: Mapping[str, Any], *, kept: int = DEFAULT_KEPT) -> None:
        self._pipeline_class = pipeline_class
        self._denoisers = dict(denoisers)
        self._kept = kept
        self._loaded: OrderedDict[str, tuple[str, ...]] = OrderedDict()  # adapter name -> experts that have it

    def activate(self, loras: tuple[LoraRef, ...]) -> None:
        """Makes exactly `loras` active, loading those not yet known. Raises `LoraError`."""
        wanted = [(self._ensure(lora), lora.scale) for lora in loras]
        for expert, denoiser in self._denoisers.items():
            active = [(name, scale) for name, scale in wanted if expert in self._loaded[name]]
            if active:
                denoiser.set_adapters([name for name, _ in active], [scale for _, scale in active])
                denoiser.enable_lora()
            elif getattr(denoiser, "peft_config", None):
                denoiser.disable_lora()
            _place(denoiser, {name for name, _ in active})
        self._drop_oldest({name for name, _ in wanted})

    def _ensure(self, lora: LoraRef) -> str:
        if lora.path.suffix != ".safetensors":
            raise LoraError(lora.name, f"{lora.path.name} is no safetensors file (pickles are refused)")
        experts = tuple(name for name in self._denoisers if lora.experts in ("both", name))
        if not experts:
            raise LoraError(lora.name, f"the model has no {lora.experts} expert")
        name = f"lora_{_file_digest(lora)[:24]}_{lora.experts}"
        if name in self._loaded:
            self._loaded.move_to_end(name)
            return name
        state, alphas = self._read(lora)
        for expert in experts:
            _audit(lora, state, self._denoisers[expert])
        for expert in experts:
            _load(lora, state, alphas, self._denoisers[expert], name)
        self._loaded[name] = experts
        return name

    def _read(self, lora: LoraRef) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """The file's tensors in diffusers' layout, and its layers' alphas."""
        try:
            state = load_file(lora.path)
        except (SafetensorError, OSError) as error:
            raise LoraError(lora.name, f"{lora.path.name} is unreadable: {error}") from error
        converted = self._converted(lora, state)
        if any(key.endswith(_ALPHA) for key in state):
            # Perhaps none is left: some of the converters take them into the weights.
            return converted, {key: value.item() for key, value in converted.items() if key.endswith(_ALPHA)}
        try:
            return converted, header_alphas(lora.path, converted, _PREFIX)
        except ValueError as error:
            raise LoraError(lora.name, str(error)) from error

    def _converted(self, lora: LoraRef, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """`state` in diffusers' layout."""
        try:
            converted = self._pipeline_class.lora_state_dict(dict(state))
        except (ValueError, KeyError) as error:  # the converters name the keys they do not know
            raise LoraError(lora.name, f"keys of an unknown layout: {error}", keys=tuple(sorted(state))) from error
        return converted if isinstance(converted, dict) else converted[0]

    def _drop_oldest(self, in_use: set[str]) -> None:
        for name in [name for name in self._loaded if name not in in_use]:
            if len(self._loaded) <= self._kept:
                return
            for expert in self._loaded.pop(name):
                _remove(self._denoisers[expert], name)


def fuse(pipeline_class: Any, denoisers: Mapping[str, Any], loras: tuple[LoraRef, ...]) -> None:
    """Takes `loras` into the weights for good; nothing runs beside the layers afterwards. Raises `LoraError`."""
    LoraSwitch(pipeline_class, denoisers).activate(loras)
    for denoiser in denoisers.values():
        if getattr(denoiser, "peft_config", None):
            denoiser.fuse_lora()
            denoiser.unload_lora()


def _file_digest(lora: LoraRef) -> str:
    try:
        return file_sha256(lora.path)
    except OSError as error:
        raise LoraError(lora.name, f"cannot read {lora.path.name}: {error.strerror}") from error


def _audit(lora: LoraRef, state: Mapping[str, torch.Tensor], denoiser: torch.nn.Module) -> None:
    """Every key must name a parameter of a layer that exists and has weights."""
    layers = {_base_name(name): module for name, module in denoiser.named_modules()}
    unmatched = tuple(sorted(key for key in state if not _matches(key, layers)))
    if unmatched:
        shown = ", ".join(unmatched[:8]) + (f" and {len(unmatched) - 8} more" if len(unmatched) > 8 else "")
        raise LoraError(lora.name, f"{len(unmatched)} keys match nothing in the model: {shown}", keys=unmatched)
    if not state:
        raise LoraError(lora.name, "the file has no keys")


def _matches(key: str, layers: Mapping[str, torch.nn.Module]) -> bool:
    parameter = _PARAMETER.search(key)
    if parameter is None or not key.startswith(_PREFIX):
        return False
    layer = layers.get(key[len(_PREFIX) : parameter.start()])
    return layer is not None and hasattr(layer, "weight")


def _base_name(module_name: str) -> str:
    """The layer's name without what peft adds once an adapter wraps it."""
    return module_name.removesuffix(".base_layer")


def _load(
    lora: LoraRef, state: Mapping[str, torch.Tensor], alphas: Mapping[str, float], denoiser: Any, name: str
) -> None:
    weights = {key: value for key, value in state.items() if not key.endswith(_ALPHA)}
    try:
        denoiser.load_lora_adapter(
            weights, prefix=_PREFIX.removesuffix("."), adapter_name=name, network_alphas=dict(alphas) or None
        )
    except (RuntimeError, ValueError, KeyError) as error:  # shapes or ranks that do not fit
        raise LoraError(lora.name, f"does not fit the model: {error}") from error


def _place(denoiser: Any, active: Collection[str]) -> None:
    """Takes the active adapters to where the network computes, the others to the host. peft leaves each where its
    layers' weights lay when it came: of blocks that stream from the disk on the host, from which nothing brings it."""
    compute = denoiser.device
    known = getattr(denoiser, "peft_config", {})
    for path, module in denoiser.named_modules():
        adapter = path.rpartition(".")[2]
        if adapter in known:
            module.to(compute if adapter in active else "cpu")


def _remove(denoiser: Any, name: str) -> None:
    """Not by diffusers' `delete_adapters`: it would divide blocks that stream from the disk into groups anew, after
    their weights have left them, and read the files back in another order."""
    delete_adapter_layers(denoiser, name)
