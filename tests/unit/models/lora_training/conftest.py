"""One folder of tiny weights a family, for all tests of the session."""

from pathlib import Path

import pytest

from tests.unit.models.lora_training.cases import BUILDS


@pytest.fixture(scope="session")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> "BaseOf":
    return BaseOf(tmp_path_factory.mktemp("bases"))


class BaseOf:
    """Builds each base once; called with a case's name, gives its model and folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, name: str) -> tuple[str, Path]:
        model, build = BUILDS[name]
        folder = self._root / name
        if not folder.is_dir():
            build(folder)
        return model, folder
