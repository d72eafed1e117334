"""The functions' archive: all that they need, nothing that they do not, and small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cdk.lambda_bundle import build_bundle
from cdk.settings import load_settings
from tests.template.conftest import cdk_context

MAX_ZIPPED_BYTES = 20_000_000
FUNCTIONS = ("api", "drop_folder", "video_requested", "publisher", "outbox", "webhooks", "planner", "sweeper")


@pytest.fixture(scope="module")
def local_bundle() -> Path:
    functions = load_settings(cdk_context(), "local").functions
    return build_bundle(functions.runtime, functions.architecture)


def test_given_the_production_bundle_when_zipped_then_it_is_small(tmp_path: Path) -> None:
    functions = load_settings(cdk_context()).functions

    archive = shutil.make_archive(
        str(tmp_path / "bundle"), "zip", build_bundle(functions.runtime, functions.architecture)
    )

    assert Path(archive).stat().st_size < MAX_ZIPPED_BYTES


def test_given_the_production_bundle_when_read_then_its_binaries_are_for_the_functions_machine() -> None:
    functions = load_settings(cdk_context()).functions
    bundle = build_bundle(functions.runtime, functions.architecture)

    binaries = [path.name for path in bundle.rglob("*.so") if "cpython" in path.name]

    assert binaries
    assert [name for name in binaries if "cpython-313-aarch64" not in name] == []


def test_given_the_bundle_when_read_then_neither_models_nor_agent_nor_tests_are_in_it(local_bundle: Path) -> None:
    top = {path.name for path in local_bundle.iterdir()}

    assert {"lambdas", "jobs", "models", "pydantic"} <= top
    assert top.isdisjoint({"torch", "diffusers", "gpu_agent", "tests", "cdk", "bin"})
    assert {path.name for path in (local_bundle / "models").iterdir()} <= {
        "__init__.py",
        "catalog",
        "estimate",
        "placement",
        "__pycache__",
    }


def test_given_the_bundle_when_unpacked_elsewhere_then_every_module_comes_from_its_bytecode(
    local_bundle: Path, tmp_path: Path
) -> None:
    """The interpreter may write none, as in a function; and the sources' times are new, as an archive makes them."""
    unpacked = tmp_path / "task"
    shutil.copytree(local_bundle, unpacked, copy_function=shutil.copy)
    program = (
        "import sys, importlib.machinery as machinery; compiled = [];"
        "original = machinery.SourceFileLoader.source_to_code;"
        "machinery.SourceFileLoader.source_to_code = "
        "lambda self, *given, **named: (compiled.append(given[1]), original(self, *given, **named))[1];"
        f"sys.path.insert(0, {str(unpacked)!r}); import lambdas.api.handler;"
        f"sys.exit('\\n'.join(str(path) for path in compiled if str(path).startswith({str(unpacked)!r})) or None)"
    )

    done = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=unpacked, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_given_the_bundle_alone_when_a_handler_is_imported_then_it_finds_all_it_needs(
    local_bundle: Path, name: str
) -> None:
    """Of the interpreter's own packages only boto3 is there, as in the Lambda runtime."""
    program = (
        "import sys; import boto3, botocore, s3transfer, jmespath, dateutil, urllib3, six;"
        "sys.path = [path for path in sys.path if 'site-packages' not in path];"
        f"sys.path.insert(0, {str(local_bundle)!r});"
        f"import lambdas.{name}.handler as module; assert callable(module.handler);"
        "assert 'torch' not in sys.modules"
    )

    imported = subprocess.run(
        [sys.executable, "-c", program],
        cwd=local_bundle,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-2", "POWERTOOLS_TRACE_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert imported.returncode == 0, imported.stderr
