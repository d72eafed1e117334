"""`make bench-api`: what the API function costs before it does any work. Figures, no verdict: machines differ.

Bounds to hold on a quiet machine: import under 400 ms of CPU, archive under 20 MB, a warm call under 5 ms beside what
AWS takes. `make bench-gateway` (tests/e2e/bench_gateway.py) asks over HTTP."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.client import BaseClient

ROOT = Path(__file__).parents[2]
IMPORTS = 11
CALLS = 300
HANDLER = "import lambdas.api.handler"
# What the first request for a video imports beside; boto3, which is the runtime's, comes on top of both.
CREATE = f"{HANDLER}, lambdas.api.videos, jobs.submit, jobs.admission, jobs.images, jobs.loras, jobs.queue, jobs.audit"
GOOD = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2", "size": "128x128"}


def bundle(profile: str | None) -> Path:
    """The archive's content, as it is deployed."""
    from cdk.lambda_bundle import build_bundle
    from cdk.settings import load_settings

    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    functions = load_settings(context, profile).functions
    return build_bundle(functions.runtime, functions.architecture)


def cpu_s(program: str, folder: Path) -> float:
    """CPU seconds, of user and system, of a fresh interpreter as the function gets it: it can write no bytecode."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "true", "POWERTOOLS_TRACE_DISABLED": "true"}
    command = [sys.executable, "-B", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {program}"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_cpu_ms(program: str) -> dict[str, float]:
    """Of the import alone: what an empty program takes is taken off. The least of several is nearest to the work."""
    folder = bundle("local")
    empty = min(cpu_s("pass", folder) for _ in range(IMPORTS))
    taken = [1000 * (cpu_s(program, folder) - empty) for _ in range(IMPORTS)]
    return {"least": round(min(taken)), "median": round(statistics.median(taken))}


def archive_mb() -> float:
    """The production archive, zipped as it is uploaded (MB of 10^6 bytes)."""
    folder = bundle(None)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "bundle.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder))
        return round(path.stat().st_size / 1e6, 2)


@contextmanager
def outside_aws() -> Iterator[Callable[[], float]]:
    """Yields a clock of this thread's CPU seconds that stands still during calls of AWS."""
    original = BaseClient._make_api_call  # type: ignore[attr-defined]
    spent_s = 0.0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal spent_s
        began = time.thread_time()
        try:
            return original(*arguments, **named)
        finally:
            spent_s += time.thread_time() - began

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield lambda: time.thread_time() - spent_s


def warm_ms() -> dict[str, dict[str, float]]:
    """Whole calls of the handler against a fake AWS in this process, less the time of the AWS calls: what routing,
    the key, the body's check, the estimate, the record and the answer take of CPU."""
    from lambdas import services
    from tests.unit.jobs.cloud import fake_cloud
    from tests.unit.lambdas.conftest import Api

    figures: dict[str, dict[str, float]] = {}
    with pytest.MonkeyPatch.context() as monkeypatch, fake_cloud(monkeypatch):
        api = Api(services.keys().create(owner="bench", name="bench"))
        video = api("POST", "/v1/videos", json_body=GOOD).body["id"]
        calls: dict[str, tuple[Any, ...]] = {
            "create": ("POST", "/v1/videos", GOOD, None),
            "estimate": ("POST", "/v1/videos/estimate", GOOD, None),
            "retrieve": ("GET", f"/v1/videos/{video}", None, None),
            "list of 20": ("GET", "/v1/videos", None, {"limit": "20"}),
        }
        with outside_aws() as clock:
            for name, (method, path, body, query) in calls.items():
                taken = []
                for _ in range(CALLS if name != "create" else 25):  # each one makes the fake table slower
                    began = clock()
                    answer = api(method, path, json_body=body, query=query)
                    taken.append(1000 * (clock() - began))
                    assert answer.status == 200, answer.body
                figures[name] = percentiles(taken)
    return figures


def refusal_ms() -> dict[str, float]:
    """A whole call that needs nothing of AWS: routed, its key missed, answered."""
    from lambdas.api.handler import handler
    from tests.unit.lambdas.conftest import Context

    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/v1/videos",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/v1/videos"}, "stage": "$default", "requestId": "r"},
        "body": json.dumps(GOOD),
        "isBase64Encoded": False,
    }
    taken = []
    for _ in range(CALLS):
        began = time.thread_time()
        answer = handler(dict(event), cast(Any, Context()))
        taken.append(1000 * (time.thread_time() - began))
        assert answer["statusCode"] == 401
    return percentiles(taken)


def percentiles(taken: list[float]) -> dict[str, float]:
    """p50 and p99 of what was measured."""
    ordered = sorted(taken)
    return {"p50": round(statistics.median(ordered), 3), "p99": round(ordered[int(0.99 * len(ordered))], 3)}


if __name__ == "__main__":
    figures = {
        "cold_import_cpu_ms": import_cpu_ms(HANDLER),
        "cold_import_for_a_create_cpu_ms": import_cpu_ms(CREATE),
        "archive_mb": archive_mb(),
        "warm_call_cpu_ms": warm_ms(),
        "warm_refusal_cpu_ms": refusal_ms(),
        "load_average": os.getloadavg()[0],
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
