"""Chooses how Triton runs our kernels. It stands before every import that brings triton along (diffusers does): a
kernel, Triton's own among them, is bound to the interpreter or to the compiler where it is defined."""

from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
