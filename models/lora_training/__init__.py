"""Training a LoRA from reference images: what is asked (`request`), and the trainer that does it (`trainer`, torch)."""
