"""Loads the parts of a model's pipelines when they are needed, each part once."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors import SafetensorError

from models.common import weights
from models.common.family import Family
from models.common.fingerprint import file_sha256
from models.common.lora import fuse
from models.common.residency import Places, Residency, Visitor
from models.common.resumable import resumable
from models.interface import LoraError, LoraRef, WeightsError
from models.speed import fast_load
from models.speed.quantised import Format
from models.speed.tiers import NONE, Acceleration, acceleration


class PipelineSet:
    """The pipelines over one folder of weights (diffusers layout) on one device.

    Text encoder and generation live apart: on a 24 GB card they do not fit together, and a request whose prompts are
    all cached needs no text encoder at all.
    """

    elsewhere: tuple[str, ...] = ()
    """Components whose weights do not lie in their folders; a subclass that names some hands them to `_load`."""

    def __init__(
        self,
        *,
        family: Family,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        residency: Residency,
        acceleration: Acceleration | None = None,
        fused: tuple[LoraRef, ...] = (),
    ) -> None:
        """`acceleration` None: what the residency's tier means on the device. `fused` LoRAs are part of the weights."""
        silence_progress_bars()
        self._index = weights.check_folder(folder, elsewhere=self.elsewhere)
        self._family = family
        self._folder = folder
        self._text: dict[bool, Any] = {}
        self._encoders: list[Visitor] = []
        self._generation: dict[bool, Any] = {}
        self._published_scheduler: Any = None
        self.device = device
        self.dtype = dtype
        self.residency = residency
        self.acceleration = acceleration or _acceleration(residency, device, folder / "transformer" / "config.json")
        self.places = Places(residency, device, self.acceleration)
        self._fused = fused
        self.revision = "+".join((weights.revision_of(folder), *(file_sha256(lora.path) for lora in fused)))

    def text(self, *, with_image: bool) -> Any:
        """The pipeline that encodes text; its weights are read at the first call."""
        if with_image not in self._text:
            absent = [name for name in self._components() if name not in self._family.text_components]
            self._text[with_image] = self._load(with_image, dict.fromkeys(absent))
            networks = [
                part for part in self._text[with_image].components.values() if isinstance(part, torch.nn.Module)
            ]
            comes_back = self._keeps_text_on_host
            self._encoders += [Visitor(network, self.device, comes_back=comes_back) for network in networks]
        for encoder in self._encoders:
            encoder.come()
        return self._text[with_image]

    def release_text(self) -> None:
        """Called when all texts of a request are encoded."""
        if self.residency.keep_text_encoder or not self._text:
            return
        for encoder in self._encoders:
            encoder.go()
        if not self._keeps_text_on_host:
            self._text.clear()
            self._encoders.clear()
        self._free_memory()

    def read_ahead_text(self) -> None:
        """Has the system read the text encoder's files into its own memory, so that loading them waits for no disk."""
        if self._text:
            return
        for name in self._family.text_components:
            for path in sorted((self._folder / name).glob("*.safetensors")):
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    @property
    def text_is_loaded(self) -> bool:
        """True while a text encoder is in memory."""
        return bool(self._text)

    def generation(self, *, with_image: bool) -> Any:
        """The resumable pipeline that denoises and decodes; with and without image share their networks."""
        if with_image not in self._generation:
            try:
                self._generation[with_image] = self._assembled(with_image)
            except BaseException:
                if not self._generation:
                    self.places.close()  # else what was settled before the fault would lie beside the next attempt's
                raise
        return self._generation[with_image]

    @property
    def published_scheduler(self) -> Any:
        """The scheduler of the weights folder. It is never run: requests get fresh ones made from its configuration."""
        return self._published_scheduler

    @property
    def numerics(self) -> dict[str, Any]:
        """What of the residency and the acceleration decides the result's bits."""
        return self.residency.numerics | self.acceleration.numerics

    def unload(self) -> None:
        """Frees everything."""
        self._text.clear()
        self._encoders.clear()
        self._generation.clear()
        self.places.close()
        self._free_memory()

    @property
    def _keeps_text_on_host(self) -> bool:
        """Not while denoisers are yet to be quantised: each is read in full precision first, and the host has no room
        for the text encoder beside that. It is read anew for the next request, from files the system has by then."""
        to_be_quantised = self.acceleration.linears is not None and not self._generation
        return self.residency.text_on_host and not to_be_quantised

    def _pipeline_class(self, with_image: bool) -> Any:
        stock = self._family.image_pipeline if with_image else self._family.text_pipeline
        if stock is None:
            raise LookupError(f"no pipeline for with_image={with_image}; the request was to be refused earlier")
        return resumable(stock)

    def _assembled(self, with_image: bool) -> Any:
        given: dict[str, Any] = dict.fromkeys(self._family.text_components)
        first = next(iter(self._generation.values()), None)
        if first is None:
            given |= self._settled_networks(self._pipeline_class(with_image))
        else:
            given |= {name: getattr(first, name) for name in self._networks()}
        return self._load(with_image, given)

    def _load(self, with_image: bool, given: dict[str, Any]) -> Any:
        known = {name: part for name, part in given.items() if name in self._components()}
        with self._naming_the_folder():
            pipe = self._pipeline_class(with_image).from_pretrained(
                self._folder,
                dtype=self._dtypes(),
                use_safetensors=True,
                local_files_only=True,
                variant=weights.variant_of(self._folder),
                **known,
            )
        if self._published_scheduler is None:
            self._published_scheduler = pipe.scheduler
        pipe.set_progress_bar_config(disable=True)
        pipe.run_device = self.device
        pipe.decode_room_gib = self.residency.decode_room_gib
        return pipe

    def _settled_networks(self, pipeline_class: Any) -> dict[str, Any]:
        """The VAE and the denoisers at their places, by component. Each denoiser is read when the one before has been
        taken to its place: two in full precision are more than a slot's share of the host."""
        names = [name for name in self._networks() if name != "vae"]
        self._check_fused({self._family.denoisers[name] for name in names})
        networks = {"vae": self._network("vae")}

        def denoisers() -> Iterator[Any]:
            for name in names:
                networks[name] = self._network(name)
                self._fuse(pipeline_class, networks[name], self._family.denoisers[name])
                yield networks[name]

        self.places.settle(denoisers=denoisers(), vae=networks["vae"])
        return networks

    def _network(self, name: str) -> Any:
        """One network as published: onto the GPU by several readers at once where it stays there, else onto the host.
        On a CPU the stock loader's mapped files cost no copy."""
        cls, dtypes = getattr(diffusers, self._index[name][1]), self._dtypes()
        dtype, variant = dtypes.get(name, dtypes["default"]), weights.variant_of(self._folder)
        if self.device.type == "cuda":
            target = self.device if self._stays_as_read(name) else torch.device("cpu")
            return fast_load.load_network(cls, self._folder / name, dtype=dtype, device=target, variant=variant)
        with self._naming_the_folder():
            return cls.from_pretrained(
                self._folder,
                subfolder=name,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                variant=variant,
            )

    def _stays_as_read(self, name: str) -> bool:
        mode = self.residency.vae if name == "vae" else self.residency.denoiser
        return mode == "resident" and self.acceleration.linears is None

    def _dtypes(self) -> dict[str, torch.dtype]:
        dtypes = {"default": self.dtype}
        if self._family.vae_dtype is not None and self.dtype != torch.float32:
            dtypes["vae"] = self._family.vae_dtype
        return dtypes

    @contextmanager
    def _naming_the_folder(self) -> Iterator[None]:
        """The folder was whole when it was checked: it changed since. A tokenizer without its files is a ValueError."""
        try:
            yield
        except (OSError, ValueError, SafetensorError) as error:
            raise WeightsError(self._folder, str(error)) from error

    def _check_fused(self, experts: set[str]) -> None:
        for lora in self._fused:
            if lora.experts != "both" and lora.experts not in experts:
                raise WeightsError(self._folder, f"the model has no {lora.experts} expert for {lora.name}")

    def _fuse(self, pipeline_class: Any, denoiser: Any, expert: str) -> None:
        """Before anything is quantised: a sum of quantised weights would be rounded twice."""
        loras = tuple(lora for lora in self._fused if lora.experts in ("both", expert))
        try:
            fuse(pipeline_class, {expert: denoiser}, loras)
        except LoraError as error:
            raise WeightsError(self._folder, str(error)) from error

    def _components(self) -> list[str]:
        return [name for name, entry in self._index.items() if isinstance(entry, list) and entry[0] is not None]

    def _networks(self) -> list[str]:
        return [name for name in self._components() if name in (*self._family.denoisers, "vae")]

    def _free_memory(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _acceleration(residency: Residency, device: torch.device, config: Path) -> Acceleration:
    """Of the residency's tier; the size of a head stands in the denoiser's configuration."""
    wanted = residency.denoiser_dtype
    linears: Format | None = wanted if wanted == "int8" or wanted == "float8" else None
    if residency.tier is None:
        return NONE if linears is None else Acceleration(linears=linears)
    head_dim = json.loads(config.read_text("utf-8"))["attention_head_dim"] if device.type == "cuda" else 0
    return acceleration(residency.tier, device, head_dim=head_dim, linears=linears)


def silence_progress_bars() -> None:
    """Both libraries draw bars on stderr for every part they load; a worker's log has no use for them."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
