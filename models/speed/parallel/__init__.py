"""Several GPUs of one worker on one video: one process a GPU, all running the same generation in lockstep.

The two guidance passes go to two halves of the GPUs, and within a half the attention heads are shared out (Ulysses,
https://arxiv.org/abs/2309.14509). Latents, scheduler and random numbers are the same in every process, so a checkpoint
of the first is that of all, and may be resumed on any number of GPUs.
"""
