"""Training data, drawn while training: caption and layout in worker processes, pixels and latents on the device."""
