"""From a weights folder and a plan to a model that generates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from models.common.engine import DiffusersVideoModel
from models.common.family import Family
from models.common.pipelines import PipelineSet
from models.common.residency import Residency
from models.interface import LoraRef, WeightsError

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.placement import Plan


def open_model(
    spec: ModelSpec,
    family: Family,
    *,
    weights_dir: Path,
    device: str,
    plan: Plan | None,
    pipelines: Callable[..., PipelineSet] = PipelineSet,
    model: type[DiffusersVideoModel] = DiffusersVideoModel,
) -> DiffusersVideoModel:
    """Checks the folder; the networks are read when the first request needs them, and go where `plan` says.

    float32 on the CPU, whose bfloat16 kernels are slow; bfloat16 on a GPU, as published. Raises `WeightsError`, and
    `UnsupportedRequest` for a plan that cannot be carried out.
    """
    target = torch.device(device)
    opened = pipelines(
        family=family,
        folder=weights_dir,
        device=target,
        dtype=torch.float32 if target.type == "cpu" else torch.bfloat16,
        residency=Residency.of(plan, target, cpu_kernels=spec.cpu_kernels),
        fused=fused_loras(spec, weights_dir),
    )
    return model(spec=spec, family=family, pipelines=opened)


def fused_loras(spec: ModelSpec, folder: Path) -> tuple[LoraRef, ...]:
    """The files of the LoRAs that are part of the model, in its folder; those of a shipped model lie beside it.

    Raises `WeightsError` for one that is not there.
    """
    found = []
    for lora in spec.fused_loras:
        path = folder / lora.file
        if spec.embedded and not path.is_file():
            path = folder.parent / lora.repo / lora.file
        if not path.is_file():
            raise WeightsError(path, f"missing: a LoRA that is part of {spec.id}")
        found.append(LoraRef(path=path, scale=1.0, name=path.stem, experts=lora.expert))
    return tuple(found)
