"""Names of tensors: the original Wan names of HoloCine's files <-> diffusers' (section 9)."""

import re

from models.holocine.errors import UnknownTensor

_ATTENTION = {"self_attn": "attn1", "cross_attn": "attn2"}
_PROJECTION = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0", "norm_q": "norm_q", "norm_k": "norm_k"}
_TOP = {
    "patch_embedding": "patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "head.head": "proj_out",
}
# norm3 of the original has parameters and stands before cross-attention; diffusers calls that one norm2.
_IN_BLOCK = {
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
    **{f"{a}.{p}": f"{A}.{P}" for a, A in _ATTENTION.items() for p, P in _PROJECTION.items()},
}
_TABLE = {"modulation": "scale_shift_table"}
_ORIGINAL_NAME = re.compile(r"(?:(?P<block>blocks\.\d+)\.)?(?P<layer>.+)\.(?P<leaf>weight|bias)")


def to_diffusers(name: str) -> str:
    """diffusers' name of an original tensor.

    Raises:
        UnknownTensor: no such tensor in this architecture.
    """
    return _renamed(name, _TOP, _IN_BLOCK, {"head.modulation": "scale_shift_table"}, _TABLE)


def to_original(name: str) -> str:
    """The original name of a diffusers tensor; the inverse of `to_diffusers`.

    Raises:
        UnknownTensor: no such tensor in this architecture.
    """
    return _renamed(
        name,
        {new: old for old, new in _TOP.items()},
        {new: old for old, new in _IN_BLOCK.items()},
        {"scale_shift_table": "head.modulation"},
        {new: old for old, new in _TABLE.items()},
    )


def _renamed(
    name: str, top: dict[str, str], in_block: dict[str, str], head_table: dict[str, str], table: dict[str, str]
) -> str:
    if name in head_table:
        return head_table[name]
    prefix, _, last = name.rpartition(".")
    if last in table and re.fullmatch(r"blocks\.\d+", prefix):
        return f"{prefix}.{table[last]}"
    found = _ORIGINAL_NAME.fullmatch(name)
    layers = in_block if found and found["block"] else top
    if found is None or found["layer"] not in layers:
        raise UnknownTensor(f"{name}: no tensor of this architecture")
    block = f"{found['block']}." if found["block"] else ""
    return f"{block}{layers[found['layer']]}.{found['leaf']}"
