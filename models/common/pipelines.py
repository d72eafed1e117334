"""Loads the parts of a model's pipelines when they are needed, each part once."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors import SafetensorError

from models.common import weights
from models.common.family import Family
from models.common.residency import Places, Residency
from models.common.resumable import resumable
from models.interface import WeightsError


class PipelineSet:
    """The pipelines over one folder of weights (diffusers layout) on one device.

    Text encoder and generation live apart: on a 24 GB card they do not fit together, and a request whose prompts are
    all cached needs no text encoder at all.
    """

    elsewhere: tuple[str, ...] = ()
    """Components whose weights do not lie in their folders; a subclass that names some hands them to `_load`."""

    def __init__(
        self, *, family: Family, folder: Path, device: torch.device, dtype: torch.dtype, residency: Residency
    ) -> None:
        self._index = weights.check_folder(folder, elsewhere=self.elsewhere)
        self._family = family
        self._folder = folder
        self._text: dict[bool, Any] = {}
        self._generation: dict[bool, Any] = {}
        self._published_scheduler: Any = None
        self.device = device
        self.dtype = dtype
        self.residency = residency
        self.places = Places(residency, device)
        self.revision = weights.revision_of(folder)

    def text(self, *, with_image: bool) -> Any:
        """The pipeline that encodes text; its weights are read at the first call."""
        if with_image not in self._text:
            absent = [name for name in self._components() if name not in self._family.text_components]
            self._text[with_image] = self._load(with_image, dict.fromkeys(absent)).to(self.device)
        return self._text[with_image]

    def release_text(self) -> None:
        """Called when all texts of a request are encoded."""
        if not self.residency.keep_text_encoder and self._text:
            self._text.clear()
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
            given: dict[str, Any] = dict.fromkeys(self._family.text_components)
            first = next(iter(self._generation.values()), None)
            if first is not None:
                given |= {name: getattr(first, name) for name in self._networks()}
            pipe = self._load(with_image, given)
            if first is None:
                denoisers = (getattr(pipe, name) for name in self._networks() if name != "vae")
                self.places.settle(denoisers=denoisers, vae=pipe.vae)
            self._generation[with_image] = pipe
        return self._generation[with_image]

    @property
    def published_scheduler(self) -> Any:
        """The scheduler of the weights folder. It is never run: requests get fresh ones made from its configuration."""
        return self._published_scheduler

    def unload(self) -> None:
        """Frees everything."""
        self._text.clear()
        self._generation.clear()
        self.places.close()
        self._free_memory()

    def _load(self, with_image: bool, given: dict[str, Any]) -> Any:
        stock = self._family.image_pipeline if with_image else self._family.text_pipeline
        if stock is None:
            raise LookupError(f"no pipeline for with_image={with_image}; the request was to be refused earlier")
        dtypes = {"default": self.dtype}
        if self._family.vae_dtype is not None and self.dtype != torch.float32:
            dtypes["vae"] = self._family.vae_dtype
        known = {name: part for name, part in given.items() if name in self._components()}
        silence_progress_bars()
        try:
            pipe = resumable(stock).from_pretrained(  # type: ignore[attr-defined]
                self._folder,
                dtype=dtypes,
                use_safetensors=True,
                local_files_only=True,
                variant=weights.variant_of(self._folder),
                **known,
            )
        except (OSError, SafetensorError) as error:  # the folder was whole when it was checked: it changed since
            raise WeightsError(self._folder, str(error)) from error
        if self._published_scheduler is None:
            self._published_scheduler = pipe.scheduler
        pipe.set_progress_bar_config(disable=True)
        pipe.run_device = self.device
        return pipe

    def _components(self) -> list[str]:
        return [name for name, entry in self._index.items() if isinstance(entry, list) and entry[0] is not None]

    def _networks(self) -> list[str]:
        return [name for name in self._components() if name in (*self._family.denoisers, "vae")]

    def _free_memory(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def silence_progress_bars() -> None:
    """Both libraries draw bars on stderr for every part they load; a worker's log has no use for them."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
