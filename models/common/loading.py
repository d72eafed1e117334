"""From a weights folder and a plan to a model that generates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from models.common.engine import DiffusersVideoModel
from models.common.family import Family
from models.common.pipelines import PipelineSet

if TYPE_CHECKING:
    from models.catalog import ModelSpec
    from models.placement import Plan


def open_model(
    spec: ModelSpec, family: Family, *, weights_dir: Path, device: str, plan: Plan | None
) -> DiffusersVideoModel:
    """Checks the folder; the networks are read when the first request needs them. Raises `WeightsError`.

    float32 on the CPU, whose bfloat16 kernels are slow; bfloat16 on a GPU, as published. On a GPU the text encoder
    (UMT5-XXL alone is 11 GiB) is freed after use, on the CPU it stays for the next prompt.
    """
    target = torch.device(device)
    on_cpu = target.type == "cpu"
    pipelines = PipelineSet(
        family=family,
        folder=weights_dir,
        device=target,
        dtype=torch.float32 if on_cpu else torch.bfloat16,
        keep_text_encoder=on_cpu,
    )
    return DiffusersVideoModel(spec=spec, family=family, pipelines=pipelines, plan=plan)
