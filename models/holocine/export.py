"""Writes a HoloCine folder in the layout that `loading` reads: for trained small models and for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import WanPipeline, WanTransformer3DModel

from models.holocine.checkpoint import save_expert
from models.holocine.loading import EXPERTS, Variant, expert_path
from models.holocine.scheduler import BOUNDARY_RATIO

Experts = tuple[WanTransformer3DModel, WanTransformer3DModel | None]
"""The high-noise and the low-noise expert; None where one network does both."""


def save_folder(
    folder: Path, *, variants: Mapping[Variant, Experts], boundary_ratio: float = BOUNDARY_RATIO, **parts: Any
) -> None:
    """Writes the experts of each variant once and what they share (`parts`: tokenizer, text_encoder, vae, scheduler).

    Weights are written in their present dtype. All variants have one configuration.
    """
    high, low = next(iter(variants.values()))
    base = WanPipeline(
        transformer=_stock(high),
        transformer_2=_stock(low) if low is not None else None,
        boundary_ratio=boundary_ratio if low is not None else None,
        **parts,
    )
    base.save_pretrained(folder)
    for component in EXPERTS:
        # The configuration is read from here, the weights are not.
        for weights_file in (folder / component).glob("*.safetensors"):
            weights_file.unlink()
    for variant, experts in variants.items():
        for noise, expert in zip(EXPERTS.values(), experts, strict=True):
            if expert is not None:
                save_expert(expert, expert_path(folder, variant, noise))


def _stock(expert: WanTransformer3DModel) -> Any:
    """A stock transformer configured as `expert`, stock itself or HoloCine's: its class is what the folder names."""
    return WanTransformer3DModel.from_config(expert.config)
