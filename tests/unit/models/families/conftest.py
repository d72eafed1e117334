from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.models.families.cases import CASES


@pytest.fixture(scope="session")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a case's tiny weights, made once a session."""
    made: dict[str, Path] = {}

    def folder_of(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            CASES[name].build(made[name])
        return made[name]

    return folder_of
