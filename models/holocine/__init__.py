"""HoloCine-14B: several shots in one generation, over the Wan 2.2 T2V-A14B architecture.

Written from a specification in the project's own words and from golden tensors; see docs/holocine.md.
"""
