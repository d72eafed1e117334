from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

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


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """The number of threads is part of a checkpoint's numerics: no test leaves another one to the next."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
