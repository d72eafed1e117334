"""Where the operator's pull takes files from: the Hub, or a folder."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol

from models.catalog import WeightsSource
from models.common.weights import PICKLE_SUFFIXES
from models.interface import WeightsError
from models.weights.errors import DiskFull, WeightsUnavailable


class Known(NamedTuple):
    """What the origin tells of a file before it is read."""

    bytes: int | None
    sha256: str | None


class Listing(NamedTuple):
    """What there is. `commit` None: nothing tells which commit the files are of."""

    commit: str | None
    files: dict[str, Known]


class PullOrigin(Protocol):
    """A place to take the files of a catalog entry's source from."""

    def listing(self, source: WeightsSource) -> Listing:
        """Raises `WeightsError`, `WeightsUnavailable`."""
        ...

    def content(self, source: WeightsSource, commit: str | None, path: str) -> AbstractContextManager[Path]:
        """The file on the local disk while the context lasts. Raises `WeightsUnavailable`, OSError."""
        ...


class FolderOrigin:
    """A folder that holds the model's files in their published layout, all sources together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listing(self, source: WeightsSource) -> Listing:  # noqa: ARG002
        """Every file of the folder; a pickle anywhere in it is refused."""
        if not self._folder.is_dir():
            raise WeightsError(self._folder, "no such folder")
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        for path in paths:
            if path.suffix in PICKLE_SUFFIXES:
                raise WeightsError(path, "pickle files are refused: weights are safetensors only")
        names = [path.relative_to(self._folder).as_posix() for path in paths]
        return Listing(commit=None, files=dict.fromkeys(names, Known(None, None)))

    def content(self, source: WeightsSource, commit: str | None, path: str) -> AbstractContextManager[Path]:  # noqa: ARG002
        """The file itself."""
        return nullcontext(self._folder / path)


class HubOrigin:
    """The Hugging Face Hub, one file at a time through `staging`; tokens and proxies as `huggingface_hub` takes them.

    `endpoint` None is the Hub, or what HF_ENDPOINT says.
    """

    def __init__(self, *, staging: Path | None = None, endpoint: str | None = None) -> None:
        self._staging = staging
        self._endpoint = endpoint

    def listing(self, source: WeightsSource) -> Listing:
        """The commit that the source's revision names now."""
        import httpx2  # what huggingface_hub speaks HTTP with
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            info = HfApi(endpoint=self._endpoint).model_info(source.repo, revision=source.revision, files_metadata=True)
        except (HfHubHTTPError, httpx2.HTTPError, ConnectionError) as error:
            raise WeightsUnavailable(f"{source.repo}@{source.revision} on the Hub: {error}") from error
        if info.sha is None:
            raise WeightsUnavailable(f"{source.repo}: the Hub names no commit for {source.revision}")
        files = {
            file.rfilename: Known(file.size, file.lfs.sha256 if file.lfs else None) for file in info.siblings or ()
        }
        return Listing(commit=info.sha, files=files)

    @contextmanager
    def content(self, source: WeightsSource, commit: str | None, path: str) -> Iterator[Path]:
        import httpx2  # what huggingface_hub speaks HTTP with
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        with TemporaryDirectory(dir=self._staging, prefix="revalida-pull-") as folder:
            try:
                found = hf_hub_download(source.repo, path, revision=commit, local_dir=folder, endpoint=self._endpoint)
            except (HfHubHTTPError, LocalEntryNotFoundError, httpx2.HTTPError, ConnectionError) as error:
                raise WeightsUnavailable(f"{source.repo}/{path} on the Hub: {error}") from error
            except OSError as error:
                if DiskFull.is_meant_by(error):
                    raise DiskFull(Path(folder), free_bytes=shutil.disk_usage(folder).free) from error
                raise
            yield Path(found)


def content_revision(digests: dict[str, str]) -> str:
    """A name for a set of files that has no commit: the same content has the same name."""
    listed = "".join(f"{path} {digests[path]}\n" for path in sorted(digests))
    return f"content-{hashlib.sha256(listed.encode()).hexdigest()[:16]}"
