"""The manifest of a model's files: what each has to be, written last, so that only a whole set has one."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models.common.weights import PICKLE_SUFFIXES, check_safetensors
from models.interface import WeightsError

MANIFEST = "manifest.json"
_BLOCK_BYTES = 2**20
# Protocols 2 to 5 of pickle begin so, and torch.save's archives are ZIP files.
_PICKLE_BEGINNINGS = (*(b"\x80" + bytes([protocol]) for protocol in range(2, 6)), b"PK\x03\x04")

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(BaseModel):
    """One file. `path` is relative to the model's folder, with slashes. `published_sha256` is of the file that it was
    made of, where numbers were rounded on the way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    published_sha256: Sha256 | None = None

    @field_validator("path")
    @classmethod
    def _stays_in_its_folder(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\\" in path:
            raise ValueError(f"{path!r} leads out of the model's folder")
        if PurePosixPath(path).suffix in PICKLE_SUFFIXES:
            raise ValueError(f"{path}: pickle files are refused, weights are safetensors only")
        return path


class Origin(BaseModel):
    """Where files came from: a Hub repository at a commit, or a folder of the operator's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    revision: str


class Manifest(BaseModel):
    """All files of a model at one revision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = "1"
    model: str
    revision: str
    origins: tuple[Origin, ...]
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def parse(text: str | bytes, *, name: Path) -> Manifest:
    """Reads a manifest. Raises `WeightsError` with `name` where it is damaged or names a refused file."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(str(part) for part in found["loc"])
        raise WeightsError(name, f"not a usable manifest: {where}: {found['msg']}") from error


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def check_content(path: Path) -> None:
    """Raises `WeightsError` for a pickle, whatever its name, and for a safetensors file that is not whole."""
    if path.suffix == ".safetensors":
        check_safetensors(path)
        return
    with path.open("rb") as file:
        beginning = file.read(4)
    if path.suffix in PICKLE_SUFFIXES or beginning.startswith(_PICKLE_BEGINNINGS):
        raise WeightsError(path, "pickle files are refused: weights are safetensors only")
