"""The trainers: reading, autoencoder, denoisers, distillation."""
