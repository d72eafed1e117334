"""Checks a folder of weights in the diffusers layout before anything is loaded from it.

`model_index.json` names the components; each has a folder with its configuration and, for a network, safetensors,
either one file or shards listed in an index. A pickle can run code when it is opened: such files are refused by name.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from models.interface import WeightsError

MODEL_INDEX = "model_index.json"
BF16 = "bf16"
PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
_DECISIVE_SUFFIXES = frozenset({".json", ".safetensors", ".txt", ".model"})  # not a model card or a sample picture
_FULL_DIGEST_BYTES = 2**28  # beyond 256 MiB the headers and sizes stand for the content; reading 50 GiB takes minutes


def check_folder(folder: Path, *, elsewhere: Collection[str] = ()) -> dict[str, Any]:
    """Checks every component that `model_index.json` names; returns that index.

    Components in `elsewhere` have their weights in files of another layout, which their family checks.

    Raises `WeightsError` naming the file that is missing, truncated, malformed or a pickle.
    """
    index = _read_json(folder / MODEL_INDEX)
    for path in sorted(folder.rglob("*")):
        if path.suffix in PICKLE_SUFFIXES:
            raise WeightsError(path, "pickle files are refused: weights are safetensors only")
    for name, entry in index.items():
        if isinstance(entry, list) and entry[0] is not None and name not in elsewhere:
            _check_component(folder / name, class_name=str(entry[1]))
    return index


def revision_of(folder: Path) -> str:
    """A digest that identifies the weights in `folder`, the same wherever the folder lies.

    Small folders are read whole; of large ones each file's name, size and safetensors header count (their content was
    verified against its manifest when it was fetched).
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in _DECISIVE_SUFFIXES and path.is_file())
    whole = sum(path.stat().st_size for path in files) <= _FULL_DIGEST_BYTES
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
        if whole or path.suffix == ".json":
            digest.update(path.read_bytes())
        elif path.suffix == ".safetensors":
            digest.update(header_bytes(path))
    return digest.hexdigest()


def variant_of(folder: Path) -> str | None:
    """`bf16` where the folder has the files of that variant (`*.bf16.safetensors`) and no others, as Mochi-1's."""
    files = list(folder.glob("*/*.safetensors"))
    of_variant = [path for path in files if f".{BF16}." in path.name or f".{BF16}-" in path.name]
    return BF16 if files and len(of_variant) == len(files) else None


def check_safetensors(path: Path) -> None:
    """Checks that `path` is a whole safetensors file: a readable header that accounts for the file's every byte."""
    header = header_bytes(path)
    try:
        ends = [entry["data_offsets"][1] for name, entry in json.loads(header).items() if name != "__metadata__"]
        expected = 8 + len(header) + max(ends, default=0)
    except (AttributeError, LookupError, TypeError) as error:
        raise WeightsError(path, "corrupted: its header is not one of safetensors") from error
    if path.stat().st_size != expected:
        raise WeightsError(path, f"{path.stat().st_size} bytes where its header says {expected}")


def _check_component(folder: Path, class_name: str) -> None:
    if not folder.is_dir():
        raise WeightsError(folder, f"the folder of {class_name} is missing")
    if not (folder / "config.json").is_file():
        _check_configuration_only(folder, class_name)
        return
    _read_json(folder / "config.json")
    for path in _weight_files(folder, class_name):
        if not path.is_file():
            raise WeightsError(path, "missing")
        check_safetensors(path)


def _check_configuration_only(folder: Path, class_name: str) -> None:
    """Tokenizers, image processors and schedulers have no weights, only JSON."""
    configurations = list(folder.glob("*.json"))
    if not configurations:
        raise WeightsError(folder / "config.json", f"the configuration of {class_name} is missing")
    for path in configurations:
        _read_json(path)


def _weight_files(folder: Path, class_name: str) -> Iterator[Path]:
    # Of a variant the index is called `model.safetensors.index.bf16.json`.
    indexes = sorted([*folder.glob("*.safetensors.index.json"), *folder.glob(f"*.safetensors.index.{BF16}.json")])
    for index in indexes:
        yield from _shards(folder, _read_json(index).get("weight_map", {}).values())
    if indexes:
        return
    single = sorted(folder.glob("*.safetensors"))
    if not single:
        raise WeightsError(folder, f"no safetensors file of {class_name}")
    yield from single


def _shards(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    return (folder / name for name in sorted(set(names)))


def header_bytes(path: Path) -> bytes:
    """The JSON header of a safetensors file (its first 8 bytes are the header's length, little endian). Raises
    `WeightsError`."""
    with path.open("rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        header = file.read(length) if 0 < length <= path.stat().st_size - 8 else b""
    try:
        json.loads(header)
    except ValueError as error:
        raise WeightsError(path, "corrupted: no readable safetensors header") from error
    return header


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(path, "missing") from error
    except ValueError as error:
        raise WeightsError(path, f"not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(path, "not a JSON object")
    return content
