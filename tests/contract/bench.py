"""`make bench-api`: what the API function costs before it does any work. Figures, no verdict: machines differ.

Bounds to hold on a quiet machine: import under 400 ms of CPU, archive under 20 MB, a warm call under 5 ms."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[2]
IMPORTS = 7
CALLS = 500


def cpu_s(program: str) -> float:
    """CPU seconds, of user and system, of a fresh interpreter as the function gets it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "true", "POWERTOOLS_TRACE_DISABLED": "true"}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_cpu_ms() -> dict[str, float]:
    """Of the import alone: what an empty program takes is taken off. The least of several is nearest to the work."""
    empty = min(cpu_s("pass") for _ in range(IMPORTS))
    taken = [1000 * (cpu_s("import lambdas.api.handler") - empty) for _ in range(IMPORTS)]
    return {"least": round(min(taken)), "median": round(statistics.median(taken))}


def archive_mb() -> float:
    """The production archive, zipped as it is uploaded (MB of 10^6 bytes)."""
    from cdk.lambda_bundle import build_bundle
    from cdk.settings import load_settings

    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    functions = load_settings(context).functions
    bundle = build_bundle(functions.runtime, functions.architecture)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(bundle.rglob("*")):
                archive.write(file, file.relative_to(bundle))
        return round(path.stat().st_size / 1e6, 2)


def warm_ms() -> dict[str, float]:
    """A whole call of the handler that needs nothing of AWS: routed, its key missed, answered, logged nowhere."""
    from lambdas.api.handler import handler
    from tests.unit.lambdas.conftest import Context

    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/v1/videos",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/v1/videos"}, "stage": "$default", "requestId": "r"},
        "body": json.dumps({"model": "wan-mini", "prompt": "a red circle"}),
        "isBase64Encoded": False,
    }
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        answer = handler(dict(event), cast(Any, Context()))
        taken.append(1000 * (time.perf_counter() - began))
        assert answer["statusCode"] == 401
    return _percentiles(taken)


def validation_ms() -> dict[str, float]:
    """Check a request against its model and fill in its defaults, warm."""
    from jobs.validation import parse, resolve

    raw = {"model": "wan-mini", "prompt": "a red circle", "seconds": "2", "metadata": {"scene": "12"}}
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        resolve(parse(raw), default_model="wan-mini", now=0.0)
        taken.append(1000 * (time.perf_counter() - began))
    return _percentiles(taken)


def _percentiles(taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {"p50": round(statistics.median(ordered), 3), "p99": round(ordered[int(0.99 * len(ordered))], 3)}


if __name__ == "__main__":
    figures = {
        "cold_import_cpu_ms": import_cpu_ms(),
        "archive_mb": archive_mb(),
        "warm_call_ms": warm_ms(),
        "warm_validation_ms": validation_ms(),
        "load_average": os.getloadavg()[0],
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
