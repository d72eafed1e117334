"""What makes the stock networks fast on a GPU: kernels, compilation, quantised linears, streaming, several GPUs.

Everything here works on a diffusers network that is loaded already and keeps its class, so that LoRAs, checkpoints and
the stock pipelines go on as before. `models.common.residency` puts it to use, as the placement's plan says.
"""
