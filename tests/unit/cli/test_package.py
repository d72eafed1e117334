"""The package as it is installed: its own files and what it declares are enough for its commands."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PARTS = ("cli", "knowledge", "models", "jobs", "simulator", "gpu_agent", "docs/dados", "pyproject.toml")
# As if nothing were installed but what the package asks for.
RUN = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from cli.main import app
app()
"""

NOBODY_THERE = {
    **{"REVALIDA_API_BASE": "http://127.0.0.1:9", "REVALIDA_API_KEY": "sk-x"},
    **{"REVALIDA_TABLE": "t", "REVALIDA_MEDIA_BUCKET": "m", "AWS_REGION": "us-east-2"},
    **{"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"},
    **{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
}


def declared() -> set[str]:
    """The distributions that come with the package: those it names, those that they name, and so on."""
    found: set[str] = set()
    waiting = list(PROJECT["dependencies"])
    while waiting:
        asked = Requirement(waiting.pop())
        name = canonicalize_name(asked.name)
        if name in found or (asked.marker is not None and not asked.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += _asked_by(name)
    return found


def undeclared(site: Path) -> set[str]:
    """Modules that are installed here for other parts of the project."""
    known, own = declared(), {path.name for path in site.iterdir()}
    homes = packages_distributions()
    return {module for module in homes if not {canonicalize_name(each) for each in homes[module]} & known} - own


def _asked_by(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel's files are, and nothing else."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, source], cwd=source, check=True, capture_output=True, timeout=120)
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("--help", 0),
        ("costs --model ltx-video --json", 0),
        ("simulate --hours 1 --ours-only --json", 0),
        ("simulate --hours 1 --ours-only --plots plots", 0),
        ("doctor", 2),
        ("submit --file scene.md --estimate", 7),
        ("batch scene.md --estimate", 7),
        ("weights list", 7),
    ],
)
def test_given_the_wheel_and_its_dependencies_alone_when_run_then_the_command_works(
    site: Path, tmp_path: Path, line: str, code: int
) -> None:
    (tmp_path / "scene.md").write_text("---\nmodel: wan-mini\n---\nA green triangle falls.\n")

    ended = subprocess.run(
        [sys.executable, "-c", RUN.format(missing=undeclared(site)), *line.split()],
        cwd=tmp_path,
        env={**os.environ, **NOBODY_THERE, "PYTHONPATH": str(site), "REVALIDA_CONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == code, ended.stderr
