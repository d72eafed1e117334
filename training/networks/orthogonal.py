"""The denoisers' optimizer: orthogonalised momentum (Muon) for the matrices of the blocks, AdamW for all else.

A step that moves every direction of a matrix by the same amount learns rare directions as fast as common ones: which
of two colours belongs to which shape is such a rare one. Matrices of one shape share one batched product.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

from training.networks.flat import FlatParameters

MOMENTUM = 0.95
SMALLEST_SIDE = 64
"""Matrices with a shorter side than this are left to AdamW."""

UPDATE_RMS = 0.2
"""Root mean square of an update at learning rate 1: about AdamW's own, so that one learning rate serves both
(Liu et al. 2025, "Muon is scalable for LLM training")."""

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration (Jordan et al. 2024, Muon)."""

ITERATIONS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """Each of [G, m, n] with all its singular values brought near 1, by the quintic Newton-Schulz iteration in bf16."""
    x = matrices.bfloat16()
    wide = x.shape[1] <= x.shape[2]
    if not wide:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return torch.as_tensor(x if wide else x.mT)


class BlockOptimizer:
    """One optimizer for the flat parameters of a model whose `blocks` hold matrices; a CUDA graph can hold its step."""

    def __init__(self, flat: FlatParameters, blocks: nn.Module) -> None:
        on_gpu = flat.values.is_cuda
        self.learning_rate = torch.zeros((), device=flat.values.device)
        self.adam = torch.optim.AdamW(
            [flat.values], lr=self.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=on_gpu, capturable=on_gpu
        )
        groups: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in blocks.parameters():
            if parameter.requires_grad and parameter.ndim == 2 and min(parameter.shape) >= SMALLEST_SIDE:
                groups[parameter.shape].append(parameter)
        self.groups = list(groups.values())
        self.momentum = [torch.zeros_like(torch.stack(list(group))) for group in self.groups]

    def set_learning_rate(self, rate: float) -> None:
        """The learning rate of the steps that follow."""
        self.learning_rate.fill_(rate)

    @torch.no_grad()
    def step(self) -> None:
        """Step all parameters; AdamW sees no gradient of the matrices, so that it only decays them."""
        updates = [self._update(group, momentum) for group, momentum in zip(self.groups, self.momentum, strict=True)]
        self.adam.step()
        for group, update in zip(self.groups, updates, strict=True):
            torch._foreach_add_([parameter.data for parameter in group], list(update.unbind()), alpha=-1.0)

    def _update(self, group: list[nn.Parameter], momentum: Tensor) -> Tensor:
        gradients = [parameter.grad for parameter in group if parameter.grad is not None]
        gradient = torch.stack(gradients)
        torch._foreach_zero_(gradients)
        momentum.lerp_(gradient, 1 - MOMENTUM)
        scale = UPDATE_RMS * max(gradient.shape[1:]) ** 0.5
        return torch.as_tensor(orthogonalised(gradient.lerp(momentum, MOMENTUM)).float() * (scale * self.learning_rate))
