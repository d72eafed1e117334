"""Finds numbers typed into the prose of a template.

Every quantity a document states has to come from the data, through an expression. Digits may stand only where they are
part of a name (``Wan 2.2``, ``g5.12xlarge``, ``720p``), of the document's own numbering, of code or of an address.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NOT_PROSE = (
    re.compile(r"\{#.*?#\}", re.DOTALL),
    re.compile(r"\{%.*?%\}", re.DOTALL),
    re.compile(r"\{\{.*?\}\}", re.DOTALL),
    re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE),
    re.compile(r"`[^`\n]+`"),
    re.compile(r"\]\([^)\s]*\)"),
    re.compile(r"<https?://[^>\s]+>"),
    re.compile(r"\[\^[^\]]+\]"),
    re.compile(r"^#{1,6} \d+(?:\.\d+)*\.? ", re.MULTILINE),
    re.compile(r"^\s*\d+\. ", re.MULTILINE),
    re.compile(r"\{ ?[:#.][^}]*\}"),
)

# Names of the field that hold digits. Whole words only; a quantity must never be put here.
NAMES = (
    r"HoloCine-14B", r"HoloCine-5B", r"Wan 2\.[1-9]", r"(?:T|I|TI)2V(?:-A?\d+B)?", r"A14B", r"CogVideoX-5B",
    r"Mochi-1", r"LTX-2", r"Sora 2(?: Pro)?", r"Gen-4\.5", r"Gen-3", r"Pika 2\.2", r"Seedance 2\.0", r"Kling 3\.0",
    r"Veo 3\.1", r"Ray 3\.2", r"MiniMax H3", r"[gp]\d+[a-z]*\.\d+xlarge", r"A10G", r"L40S", r"L4", r"A100",
    r"H[12]00", r"RTX 4090", r"\d{3,4}p", r"[1-9]K", r"3D", r"bf16", r"int8", r"fp8", r"float32", r"G5", r"G6e?",
    r"T5", r"T5-XXL", r"UMT5-XXL", r"Llama-8B", r"MP4", r"H\.26[45]", r"S3", r"EC2", r"G/VT", r"SHA-256",
    r"CC BY-NC-SA 4\.0", r"Apache 2\.0", r"LTX Video 0\.9(?: RAIL-M)?", r"[468]k\+1", r"Q[1-4]", r"v1",
    r"us-east-2", r"L-3819A6DF", r"L-DB2E81BA", r"arXiv \d{4}\.\d{5}", r"CVPR 2026", r"fase \d", r"Fase \d",
    r"seção \d+", r"seções \d+", r"Seção \d+", r"\d+\.\d+\.\d+",
)  # fmt: skip
_NAMES = re.compile(r"(?<![\w.,])(?:" + "|".join(sorted(NAMES, key=len, reverse=True)) + r")(?!\w)")
_DIGITS = re.compile(r"\S*\d\S*")


@dataclass(frozen=True)
class TypedNumber:
    """A number in the prose: where it stands (1-based line) and the word that holds it."""

    line: int
    word: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.word!r} is typed, not computed from docs/dados"


def typed_numbers(template: str) -> Iterator[TypedNumber]:
    """Numbers that stand in the prose of a Jinja2 Markdown template, in order."""
    text = template
    for pattern in (*_NOT_PROSE, _NAMES):
        text = pattern.sub(_blank, text)
    for index, line in enumerate(text.splitlines(), start=1):
        for match in _DIGITS.finditer(line):
            yield TypedNumber(index, match.group())


def _blank(match: re.Match[str]) -> str:
    """Spaces for the match, keeping its line breaks so that line numbers stay true."""
    return re.sub(r"[^\n]", " ", match.group())
