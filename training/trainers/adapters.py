"""The two experts of text to video as a LoRA's trainers have them: frozen, or with adapters that learn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.evaluation.pipelines import load_expert
from training.networks.flat import FlatParameters
from training.trainers.run import rank
from training.trainers.tasks import TASKS, Expert, Task

EXPERTS: Final[tuple[Expert, Expert]] = ("high", "low")
RANK = 12
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]


@dataclass(frozen=True, kw_only=True)
class Experts:
    """Two denoisers: the teacher's, the student's, the critic's."""

    high: WanTransformer3DModel
    low: WanTransformer3DModel

    def at(self, expert: Expert) -> WanTransformer3DModel:
        """One of the two."""
        return self.high if expert == "high" else self.low


def expert_at(task: Task, sigma: float) -> Expert:
    """The expert for a noise level."""
    return "high" if sigma >= task.boundary else "low"


def frozen_experts(folder: Path, device: torch.device) -> Experts:
    """The experts in `high.safetensors` and `low.safetensors`, in float32 and without gradients."""
    return Experts(**{name: _frozen(folder, name, device) for name in EXPERTS})


def _frozen(folder: Path, name: Expert, device: torch.device) -> WanTransformer3DModel:
    return load_expert(TASKS["t2v"], folder / f"{name}.safetensors").float().to(device).requires_grad_(False)


def adapted_experts(folder: Path, device: torch.device, lora: Path | None) -> Experts:
    """The same with adapters that learn: fresh ones, or those that `save_adapters` wrote into `lora`."""
    return Experts(**{name: _adapted(folder, name, device, lora) for name in EXPERTS})


def _adapted(folder: Path, name: Expert, device: torch.device, lora: Path | None) -> WanTransformer3DModel:
    model = _frozen(folder, name, device)
    model.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights=True, target_modules=TARGETS))
    if lora is not None:
        tensors = load_file(_file_in(lora, name))
        state = {key.removeprefix("transformer."): value.float() for key, value in tensors.items()}
        set_peft_model_state_dict(model, state)
    return model


class Mover:
    """Moves the trainable parameters of two experts; `flats` holds them."""

    def __init__(self, experts: Experts, learning_rate: float, *, momentum: float, ema_decay: float) -> None:
        self.flats = {name: FlatParameters(experts.at(name), ema_decay=ema_decay) for name in EXPERTS}
        self.optimizers = {
            name: torch.optim.AdamW([flat.values], lr=learning_rate, betas=(momentum, 0.98), weight_decay=0.0)
            for name, flat in self.flats.items()
        }

    def descend(self, expert: Expert, loss: Tensor, learning_rate: float) -> None:
        """One step of one expert down a loss."""
        torch.autograd.backward(loss)
        self.optimizers[expert].param_groups[0]["lr"] = learning_rate
        self.flats[expert].step(self.optimizers[expert])
        self.flats[expert].agree()


def save_adapters(experts: Experts, flats: dict[Expert, FlatParameters], out: Path) -> None:
    """Write the averaged adapters as bf16, under the names that `load_lora_weights` reads."""
    if rank() != 0:
        return
    for name, flat in flats.items():
        with flat.averaged():
            tensors = {
                f"transformer.{key}": value.detach().to("cpu", torch.bfloat16).contiguous()
                for key, value in get_peft_model_state_dict(experts.at(name)).items()
            }
        save_file(tensors, _file_in(out, name))


def _file_in(folder: Path, expert: Expert) -> Path:
    return folder / f"{expert}_noise.safetensors"
