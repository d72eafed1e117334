"""Which of a repository's or a folder's files a catalog entry asks for."""

import json
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from models.catalog import Rounding, WeightsSource
from models.interface import WeightsError

INDEX_SUFFIX = ".safetensors.index"


def select(paths: Collection[str], source: WeightsSource) -> tuple[str, ...]:
    """The paths that `source.files` match, configurations first: they are small, and tell what is missing.

    Raises `WeightsError` naming the first pattern without any file: a part of the model is not there.
    """
    chosen: set[str] = set()
    for pattern in source.files:
        matching = [path for path in paths if _matches(path, pattern)]
        if not matching:
            raise WeightsError(Path(source.repo), f"no file {pattern}")
        chosen.update(matching)
    return tuple(sorted(chosen, key=lambda path: (not path.endswith(".json"), path)))


def rounding_of(path: str, source: WeightsSource) -> Rounding | None:
    """How the file's numbers are rounded on the way to the bucket; None: it is taken as it is."""
    rounding = source.rounding
    if rounding is None or not any(_matches(path, pattern) for pattern in rounding.files):
        return None
    return rounding


def check_shards(index: Path, path: str, chosen: Iterable[str]) -> None:
    """Raises `WeightsError` if the shard index at `index` lists a file beside `path` that is not among `chosen`."""
    if INDEX_SUFFIX not in path:
        return
    folder = PurePosixPath(path).parent
    shards = set(json.loads(index.read_text("utf-8")).get("weight_map", {}).values())
    missing = sorted({str(folder / shard) for shard in shards} - set(chosen))
    if missing:
        raise WeightsError(Path(missing[0]), f"missing, though {path} lists it")


def _matches(path: str, pattern: str) -> bool:
    """As a glob: `*` stays within one folder, `**/*` is everything."""
    if pattern == "**/*":
        return True
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
