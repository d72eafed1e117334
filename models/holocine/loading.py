"""From HoloCine's files to a model.

A folder holds Wan 2.2 T2V-A14B's diffusers layout (text encoder, tokenizer, VAE, scheduler, `model_index.json`, and the
configurations of the two transformers, without their weights) and HoloCine's own files beside it:

    HoloCine_dit/full/full_high_noise.safetensors      HoloCine_dit/sparse/sparse_high_noise.safetensors
    HoloCine_dit/full/full_low_noise.safetensors       HoloCine_dit/sparse/sparse_low_noise.safetensors

Where `model_index.json` names no `transformer_2` there is one expert, in the file of the high-noise one.
"""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from models.common import weights
from models.common.engine import DiffusersVideoModel
from models.common.loading import open_model
from models.common.pipelines import PipelineSet
from models.holocine.checkpoint import load_expert
from models.holocine.family import HoloCineFamily
from models.holocine.model import HoloCineVideoModel
from models.holocine.transformer import HoloCineTransformer3DModel
from models.interface import WeightsError

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.placement import Plan

Variant = Literal["full", "sparse"]
EXPERTS = {"transformer": "high", "transformer_2": "low"}
"""Component of the pipeline -> the noise its expert is for, as in the file names."""
TILES = {
    "tile_sample_min_height": 240,
    "tile_sample_min_width": 416,
    "tile_sample_stride_height": 120,
    "tile_sample_stride_width": 208,
}
"""Pixels. The weights' own inference decodes tiles of 30 x 52 latent cells with a stride of 15 x 26 (section 8)."""


def expert_path(folder: Path, variant: Variant, noise: str) -> Path:
    """The file of one expert; `noise` is `high` or `low`."""
    return folder / "HoloCine_dit" / variant / f"{variant}_{noise}_noise.safetensors"


class HoloCinePipelines(PipelineSet):
    """`PipelineSet` that takes the experts from HoloCine's files."""

    elsewhere = tuple(EXPERTS)

    def __init__(self, *, variant: Variant, **common: Any) -> None:
        """Checks the folder, experts included, and reads none of it. Raises `WeightsError`."""
        super().__init__(**common)
        self._variant = variant
        for path in self._expert_paths().values():
            if not path.is_file():
                raise WeightsError(path, "missing")
            weights.check_safetensors(path)

    def _expert_paths(self) -> dict[str, Path]:
        wanted = [name for name in EXPERTS if self._index.get(name, [None])[0] is not None]
        return {name: expert_path(self._folder, self._variant, EXPERTS[name]) for name in wanted}

    def _load(self, with_image: bool, given: dict[str, Any]) -> Any:
        pipe = super()._load(with_image, given)
        # They decode each pixel three times. The fast tier does without, where whole frames fit.
        in_tiles = self.residency.decoder != "half" or self.residency.vae_tiling
        if pipe.vae is not None and in_tiles:
            pipe.vae.enable_tiling(**TILES)
        return pipe

    def _network(self, name: str) -> Any:
        path = self._expert_paths().get(name)
        return super()._network(name) if path is None else self._expert(name, path)

    def _expert(self, component: str, path: Path) -> HoloCineTransformer3DModel:
        config_path = self._folder / component / "config.json"
        try:
            config = json.loads(config_path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise WeightsError(config_path, f"unreadable: {error}") from error
        return load_expert(path, config, sparse=self._variant == "sparse", dtype=self.dtype)


def load(spec: "ModelSpec", *, weights_dir: Path, device: str, plan: "Plan | None" = None) -> DiffusersVideoModel:
    """Opens a HoloCine model; models whose id ends in `-sparse` take the sparse checkpoints.

    Raises:
        WeightsError: naming the file that is missing or not HoloCine's.
    """
    return open_model(
        spec,
        HoloCineFamily(text_length=spec.limits.prompt_tokens),
        weights_dir=weights_dir,
        device=device,
        plan=plan,
        pipelines=partial(HoloCinePipelines, variant="sparse" if spec.id.endswith("-sparse") else "full"),
        model=HoloCineVideoModel,
    )
