"""`.md`: a script. Front matter holds fields, the text below the title is the scene, each `##` section is a shot.

    ---
    model: holocine-14b
    num_frames: 241
    ---
    # The lighthouse
    A lighthouse keeper climbs the stairs while a storm rises.

    ## Wide shot
    The lighthouse from the sea, waves breaking.

    ## Close-up {frames=81}
    The keeper's hands on the railing.

Without sections it is one prompt. Without text below the title, the title is the scene."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from jobs.drop.entries import Entry, FileError
from jobs.drop.yaml_files import load_items
from jobs.errors import RequestError

_HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)[ \t]*#*$")
_FRAMES = re.compile(r"\{\s*frames\s*=\s*([0-9]{1,6})\s*\}")
_FENCE = "---"


class _Section(NamedTuple):
    level: int
    title: str
    line: int
    text: list[str]

    @property
    def body(self) -> str:
        return "\n".join(self.text).strip()


def markdown_entries(text: str) -> Iterable[Entry]:
    """The script as one entry, at the line on which it begins. Raises FileError for broken front matter."""
    lines = text.split("\n")
    fields, start = _front_matter(lines)
    sections = _sections(lines, start)
    first = next((number for number, line in enumerate(lines, start=1) if line.strip()), None)
    if first is None:
        return []
    if isinstance(fields, RequestError):
        return [Entry(first, fields)]
    return [Entry(first, _request(fields, sections))]


def _front_matter(lines: list[str]) -> tuple[dict[str, object] | RequestError, int]:
    """The fields, and the index of the first line after them."""
    opening = next((index for index, line in enumerate(lines) if line.strip()), None)
    if opening is None or lines[opening].strip() != _FENCE:
        return {}, 0
    for index in range(opening + 1, len(lines)):
        if lines[index].strip() == _FENCE:
            # Blank lines stand in for those above, so that errors name the file's own lines.
            block = "\n" * (opening + 1) + "\n".join(lines[opening + 1 : index])
            items = load_items(block)
            return (items[0][1] if items else {}), index + 1
    raise FileError("The front matter has no closing '---'.", code="invalid_markdown", line=opening + 1)


def _sections(lines: list[str], start: int) -> list[_Section]:
    """What stands before the first heading (level 0), then a section for each heading of level 1 or 2."""
    sections = [_Section(0, "", start + 1, [])]
    for number, line in enumerate(lines[start:], start=start + 1):
        heading = _HEADING.match(line)
        if heading is not None and len(heading[1]) <= 2:
            sections.append(_Section(len(heading[1]), heading[2], number, []))
        else:
            sections[-1].text.append(line)
    return sections


def _request(fields: dict[str, object], sections: list[_Section]) -> dict[str, object] | RequestError:
    titles = [section for section in sections if section.level == 1]
    shots = [section for section in sections if section.level == 2]
    if len(titles) > 1:
        return RequestError(f"A second title on line {titles[1].line}; a script has one.", code="invalid_markdown")
    given = {"prompt", "shots"} & fields.keys()
    if given:
        name = min(given)
        message = f"'{name}' stands in the text of a script, not in its front matter."
        return RequestError(message, param=name, code="invalid_markdown")
    scene = "\n\n".join(section.body for section in sections if section.level < 2 and section.body)
    scene = scene or "".join(section.title for section in titles)
    request: dict[str, object] = {**fields, "prompt": scene}
    if not shots:
        return request
    empty = next((shot for shot in shots if not shot.body), None)
    if empty is not None:
        return RequestError(f"The shot on line {empty.line} has no text.", param="shots", code="empty_prompt")
    return {**request, "shots": [_shot(shot) for shot in shots]}


def _shot(section: _Section) -> dict[str, object]:
    frames = _FRAMES.search(section.title)
    return {"prompt": section.body} if frames is None else {"prompt": section.body, "num_frames": int(frames[1])}
