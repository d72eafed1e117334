"""`.yaml`: one request or a list of them. Aliases are refused (they blow up), and so is deep nesting."""

from collections.abc import Iterable
from typing import Any

import yaml

from jobs.drop.entries import Entry, FileError
from jobs.errors import RequestError
from jobs.parsing import MAX_DEPTH

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times faster


def yaml_entries(text: str) -> Iterable[Entry]:
    """The entries of a YAML text; a list item's line is the one it begins on. Raises FileError with the broken line."""
    return [Entry(line, value) for line, value in load_items(text)]


def load_items(text: str) -> list[tuple[int, dict[str, object] | RequestError]]:
    """Each mapping of the document (the document itself, or each item of its list) with its line."""
    try:
        _check_events(text)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return []
            nodes = root.value if isinstance(root, yaml.SequenceNode) else [root]
            return [(node.start_mark.line + 1, _mapping(loader, node)) for node in nodes]
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"Not YAML: {error.problem or error.context}."
        raise FileError(message, code="invalid_yaml", line=1 if mark is None else mark.line + 1) from error
    except yaml.YAMLError as error:
        raise FileError("Not YAML.", code="invalid_yaml") from error


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise FileError("YAML aliases are not taken.", code="invalid_yaml", line=_line(event))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH + 1:
            raise FileError("Nested too deep.", code="invalid_yaml", line=_line(event))


def _line(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1


def _mapping(loader: Any, node: yaml.Node) -> dict[str, object] | RequestError:
    try:
        value = loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:  # a key that is a list, a date that is none
        reason = error.problem if isinstance(error, yaml.MarkedYAMLError) else error
        return RequestError(f"Cannot be read: {reason}.", code="invalid_yaml")
    except (LookupError, AttributeError, OverflowError):  # PyYAML's, for a tag that its text does not fit: `!!int ""`
        return RequestError("Cannot be read: a value is not of the kind that its tag says.", code="invalid_yaml")
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        return RequestError("A request is a mapping with fields such as 'prompt'.", code="invalid_type")
    return value
