"""What a few-step LoRA costs beside the layers, where one that a request names runs: Wan A14B 480p, fast tier."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch
from peft import LoraConfig

from bench import denoise, networks
from bench.record import Row
from models.speed.ceilings import Ceilings

MODEL = "wan2.2-t2v-a14b"
RANK = 64  # of Wan2.2-Lightning, which has an adapter on every linear layer of a block
_LAYERS = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]


def lora(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """A forward with the LoRA in the weights, which takes what one without any does, and with it beside them."""
    del ceilings
    base = networks.denoiser(MODEL)
    _, _, grid = networks.work_of(MODEL)
    given = networks.inputs(MODEL, grid)
    fused, beside = (denoise.prepared(base, denoise.fast(MODEL)) for _ in range(2))
    torch.manual_seed(3)
    beside.add_adapter(LoraConfig(r=RANK, target_modules=_LAYERS))
    for name, parameter in beside.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(torch.bfloat16)
    runs = {name: denoise.call_of(MODEL, each, given) for name, each in (("fused", fused), ("beside", beside))}
    times, _ = denoise.in_turn(runs)
    slow_s = median(times["beside"])
    for name, taken in times.items():
        add(
            Row(
                what=f"{MODEL} 480p81, fast, LoRA of rank {RANK}",
                variant=name,
                value=median(taken),
                unit="s/forward",
                repeats=len(taken),
                note=f"{slow_s / median(taken):.3f} times as fast as beside",
            )
        )
