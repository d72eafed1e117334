"""The frozen base: pipelines with the parts that training needs, in the precision that was asked for."""

from __future__ import annotations

import gc
import importlib.util
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from models.common import weights
from models.common.family import Family
from models.common.pipelines import silence_progress_bars
from models.interface import UnsupportedRequest, WeightsError
from models.lora_training.request import BasePrecision


def has_bitsandbytes() -> bool:
    """Whether int8 and NF4 bases and the 8-bit optimiser can be had here."""
    return torch.cuda.is_available() and importlib.util.find_spec("bitsandbytes") is not None


class Base:
    """Loads the text encoders alone, and later the denoisers with the VAE; the two never share the memory of a GPU."""

    def __init__(self, *, family: Family, folder: Path, device: torch.device) -> None:
        self._index = weights.check_folder(folder)
        self._family = family
        self._folder = folder
        self.device = device
        self.dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
        self.revision = weights.revision_of(folder)
        silence_progress_bars()

    @property
    def experts(self) -> dict[str, str]:
        """Component name of each denoiser that is there -> the expert it is."""
        return {name: expert for name, expert in self._family.denoisers.items() if name in self._components()}

    def text(self) -> Any:
        """A pipeline of the text encoders alone."""
        absent = [name for name in self._components() if name not in self._family.text_components]
        return self._load(dict.fromkeys(absent)).to(self.device)

    def vae(self) -> Any:
        """A pipeline of the VAE alone, with the scheduler."""
        absent = [name for name in self._components() if name not in ("vae", "scheduler")]
        return self._load(dict.fromkeys(absent)).to(self.device)

    def denoisers(self, vae_pipe: Any, precision: BasePrecision) -> Any:
        """The pipeline that trains and samples: the networks of `precision`, frozen, beside the VAE that is loaded."""
        parts: dict[str, Any] = dict.fromkeys(self._family.text_components)
        parts["vae"] = vae_pipe.vae
        for name in self.experts:
            parts[name] = self._denoiser(name, precision)
        return self._load(parts)

    def free(self) -> None:
        """Gives back what was dropped."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _denoiser(self, name: str, precision: BasePrecision) -> Any:
        import diffusers

        cls = getattr(diffusers, self._index[name][1])
        quantised = {} if precision == "full" else {"quantization_config": _quantisation(precision)}
        try:
            network = cls.from_pretrained(
                self._folder,
                subfolder=name,
                dtype=self.dtype,
                use_safetensors=True,
                local_files_only=True,
                variant=weights.variant_of(self._folder),
                **quantised,
            )
        except (OSError, SafetensorError) as error:
            raise WeightsError(self._folder / name, str(error)) from error
        network.requires_grad_(False)
        return network if quantised else network.to(self.device)

    def _load(self, given: dict[str, Any]) -> Any:
        dtypes = {"default": self.dtype}
        if self._family.vae_dtype is not None and self.dtype != torch.float32:
            dtypes["vae"] = self._family.vae_dtype
        known = {name: part for name, part in given.items() if name in self._components()}
        try:
            pipe = self._family.text_pipeline.from_pretrained(  # type: ignore[union-attr]
                self._folder,
                dtype=dtypes,
                use_safetensors=True,
                local_files_only=True,
                variant=weights.variant_of(self._folder),
                **known,
            )
        except (OSError, SafetensorError) as error:
            raise WeightsError(self._folder, str(error)) from error
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _components(self) -> list[str]:
        return [name for name, entry in self._index.items() if isinstance(entry, list) and entry[0] is not None]


def _quantisation(precision: BasePrecision) -> Any:
    import diffusers

    if not has_bitsandbytes():
        message = f"a base in {precision} needs an NVIDIA GPU and the package bitsandbytes"
        raise UnsupportedRequest(message, param="training.base")
    if precision == "int8":
        return diffusers.BitsAndBytesConfig(load_in_8bit=True)
    return diffusers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )
