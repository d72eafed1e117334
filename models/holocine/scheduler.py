"""What HoloCine's sampling (section 8) adds to the even Euler steps of `models.common.schedulers.EvenFlowEuler`."""

SHIFT = 5.0
"""Section 8; Wan 2.2 itself uses 12."""
BOUNDARY_RATIO = 0.875
"""The high-noise expert runs while t >= 875 (section 8; also in Wan 2.2 T2V's model_index.json)."""
