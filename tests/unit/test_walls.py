"""The import walls of DESIGN.md, over the whole tree."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("models", "jobs", "lambdas", "gpu_agent", "local", "cdk", "knowledge", "cli", "training", "simulator", "bench")
HEAVY = {"torch", "diffusers", "transformers", "accelerate", "peft"}
PURE = ("models.catalog", "models.estimate", "models.placement")

# Which of our own packages each part may import, beside itself.
ALLOWED: dict[str, tuple[str, ...]] = {
    "models": (),
    "jobs": PURE,
    "lambdas": ("jobs", *PURE),
    "gpu_agent": ("jobs", "models"),
    "local": ("jobs", *PURE),
    "cdk": ("models.catalog",),
    # The documents and the operator's cost tables are the estimate itself; everything else goes by HTTP.
    "knowledge": PURE,
    # Files of prompts are read as the drop folder reads them; the operator's commands share the domain's stores.
    "cli": (
        *("knowledge", "simulator", *PURE),
        # Weights come into the bucket from the operator's machine, by the code that the agents read them with.
        *("models.weights", "models.interface"),
        *("jobs.drop", "jobs.errors", "jobs.s3_keys"),
        *("jobs.keys", "jobs.limits", "jobs.dead_letters", "jobs.dead_letter_commands", "jobs.queue", "jobs.store"),
        *("jobs.report", "jobs.tally", "jobs.meters"),
    ),
    # What it simulates is what production runs: the planner, the choice of work, the estimate.
    "simulator": ("jobs.planner", "jobs.waiting", "gpu_agent.choice", *PURE),
    "training": ("models",),
    "bench": ("models", "training"),
}


def modules(part: str) -> list[Path]:
    return sorted(path for path in (ROOT / part).rglob("*.py") if "checkpoints" not in path.parts)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each module that a file imports, and whether that happens when the file itself is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {id(node) for outer in ast.walk(tree) if is_late(outer) for node in ast.walk(outer)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((f"{node.module}.{alias.name}", id(node) not in late) for alias in node.names)


def is_late(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        name = node.test
        return isinstance(name, ast.Name) and name.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def wrong_imports(part: str) -> list[str]:
    allowed = (part, *ALLOWED[part])
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in modules(part)
        for module, _ in imports(path)
        if module.split(".")[0] in OURS and not any(below(module, package) for package in allowed)
    ]


def heavy_imports(paths: list[Path], *, at_import_only: bool) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in paths
        for module, at_import in imports(path)
        if module.split(".")[0] in HEAVY and (at_import or not at_import_only)
    ]


@pytest.mark.parametrize("part", ALLOWED)
def test_each_part_imports_only_what_stands_before_it(part: str) -> None:
    assert wrong_imports(part) == []


@pytest.mark.parametrize("part", ["jobs", "lambdas", "local", "cdk", "cli", "simulator"])
def test_no_torch_outside_the_model_families_and_the_agent(part: str) -> None:
    assert heavy_imports(modules(part), at_import_only=False) == []


@pytest.mark.parametrize("package", PURE)
def test_pure_packages_import_neither_torch_nor_aws_nor_numpy(package: str) -> None:
    paths = modules(package.replace(".", "/"))
    impure = HEAVY | {"numpy", "boto3", "botocore"}
    found = [(path.name, module) for path in paths for module, _ in imports(path) if module.split(".")[0] in impure]

    assert paths
    assert found == []


def test_the_planner_and_the_choice_of_work_are_pure() -> None:
    """What the simulator shares with production needs neither AWS nor torch."""
    paths = [*modules("jobs/planner"), ROOT / "gpu_agent" / "choice.py"]
    impure = {*HEAVY, "numpy", "boto3", "botocore"}

    assert len(paths) > 5
    assert [(p.name, m) for p in paths for m, _ in imports(p) if m.split(".")[0] in impure] == []
    others = [m for p in paths for m, _ in imports(p) if below(m, "jobs") and not below(m, "jobs.planner")]
    assert others == []


def test_models_interface_and_registry_load_no_torch_when_imported() -> None:
    paths = list((ROOT / "models").glob("*.py"))

    assert heavy_imports(paths, at_import_only=True) == []


@pytest.mark.parametrize(
    "name", ["api", "drop_folder", "video_requested", "publisher", "outbox", "webhooks", "planner", "sweeper"]
)
def test_function_loads_nothing_heavy(name: str) -> None:
    """Boto3 too: it costs more than all of ours, and is loaded with the first call that needs it."""
    heavy = sorted({*HEAVY, "numpy", "PIL", "boto3", "moto"})
    code = f"import sys, lambdas.{name}.handler; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_weights_are_moved_without_torch() -> None:
    """The command line loads this; the layout's checks beside it need no torch either."""
    modules = "models.weights.cache, models.weights.pull"
    code = f"import sys, {modules}; print([m for m in {sorted(HEAVY)} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_walls_can_fail(tmp_path: Path) -> None:
    """The checker sees a plain import, one inside a function, and one for types only, each as what it is."""
    file = tmp_path / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nimport torch\n"
        "if TYPE_CHECKING:\n    import diffusers\n"
        "def f():\n    from transformers import AutoModel\n"
    )

    assert dict(imports(file)) == {
        "typing.TYPE_CHECKING": True,
        "torch": True,
        "diffusers": False,
        "transformers.AutoModel": False,
    }
