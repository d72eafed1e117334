"""The code blocks of the guides, for the tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from knowledge.load import ROOT

GUIDES = ROOT / "docs"
_FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>[a-z]+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^ *```', re.M | re.S
)


@dataclass(frozen=True)
class Block:
    guide: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.guide}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    return [block for path in sorted(GUIDES.glob("*.md")) for block in _blocks_of(path) if block.language in languages]


def _blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        indent = len(match["indent"])
        body = "\n".join(line[indent:] for line in match["text"].splitlines())
        yield Block(path.name, text.count("\n", 0, match.start()) + 1, match["language"], match["title"] or "", body)


def titled(title: str) -> Block:
    return next(block for block in blocks("json", "yaml", "text", "markdown", "csv", "python") if block.title == title)
