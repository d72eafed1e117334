"""The published configurations of the catalog's networks, where they differ from their classes' defaults."""

from typing import Any

TI2V_VAE = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "is_residual": True,
    "patch_size": 2,
    "in_channels": 12,
    "out_channels": 12,
    "scale_factor_spatial": 16,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
}
COG = {"num_attention_heads": 48, "num_layers": 42, "use_rotary_positional_embeddings": True}
TI2V = {"num_attention_heads": 24, "ffn_dim": 14336, "num_layers": 30, "in_channels": 48, "out_channels": 48}

# By model id: class and configuration. HoloCine has Wan's parameters.
DENOISERS: dict[str, tuple[str, dict[str, Any]]] = {
    "wan2.2-t2v-a14b": ("WanTransformer3DModel", {}),
    "wan2.2-i2v-a14b": ("WanTransformer3DModel", {"in_channels": 36}),
    "wan2.2-ti2v-5b": ("WanTransformer3DModel", TI2V),
    "holocine-14b": ("WanTransformer3DModel", {}),
    "hunyuan-video": ("HunyuanVideoTransformer3DModel", {}),
    "hunyuan-video-i2v": ("HunyuanVideoTransformer3DModel", {"image_condition_type": "token_replace"}),
    "cogvideox-5b": ("CogVideoXTransformer3DModel", COG),
    "cogvideox-5b-i2v": (
        "CogVideoXTransformer3DModel",
        COG | {"in_channels": 32, "use_learned_positional_embeddings": True},
    ),
    "mochi-1": ("MochiTransformer3DModel", {}),
    "ltx-video": ("LTXVideoTransformer3DModel", {}),
}
VAES: dict[str, tuple[str, dict[str, Any]]] = {
    "wan2.2-t2v-a14b": ("AutoencoderKLWan", {}),
    "wan2.2-i2v-a14b": ("AutoencoderKLWan", {}),
    "wan2.2-ti2v-5b": ("AutoencoderKLWan", TI2V_VAE),
    "holocine-14b": ("AutoencoderKLWan", {}),
    "hunyuan-video": ("AutoencoderKLHunyuanVideo", {}),
    "cogvideox-5b": ("AutoencoderKLCogVideoX", {}),
    "mochi-1": ("AutoencoderKLMochi", {}),
    "ltx-video": ("AutoencoderKLLTXVideo", {}),
}
