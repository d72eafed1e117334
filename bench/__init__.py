"""Benchmarks on the GPU at hand: full-size networks with random weights, stock and ours in turn, beside the machine's
own ceilings measured in the same run. `make bench-gpu` runs them all."""
