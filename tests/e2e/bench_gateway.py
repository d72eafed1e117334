"""`make bench-gateway`: the API over HTTP through the local gateway, against a function that does nothing; then 10,000
list calls with an honest client beside them. Figures, no verdict: machines differ, and the gateway is an emulator."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.contract.bench import GOOD, percentiles
from tests.e2e.studio import Studio, running

CLIENTS = 8
CALLS = int(os.environ.get("BENCH_CALLS", "400"))
LIST_CALLS = int(os.environ.get("BENCH_LIST_CALLS", "10000"))
HONEST_EVERY_S = 0.5
EMPTY = 'def handler(event, context):\n    return {"statusCode": 200, "body": "{}"}\n'


def empty_api(studio: Studio) -> str:
    """An HTTP API with a function that does nothing; returns its id."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("empty.py", EMPTY)
    function = studio.aws("lambda").create_function(
        FunctionName="empty",
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Role="arn:aws:iam::000000000000:role/empty",
        Handler="empty.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    gateway = studio.aws("apigatewayv2")
    api_id = gateway.create_api(Name="empty", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=function["FunctionArn"],
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    gateway.create_route(ApiId=api_id, RouteKey="$default", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    return str(api_id)


def client_of(studio: Studio, api_id: str) -> httpx.AsyncClient:
    """Speaks to an API of the local gateway, without the front door between."""
    endpoint = httpx.URL(studio.stack["aws_endpoint"])
    headers = {
        "Host": f"{api_id}.execute-api.{endpoint.host}:{endpoint.port}",
        "Authorization": f"Bearer {studio.api_key}",
    }
    return httpx.AsyncClient(base_url=endpoint, headers=headers, timeout=60.0, trust_env=False)


async def measured(client: httpx.AsyncClient, calls: int, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """`calls` requests by eight clients at once: statuses, requests a second, milliseconds each."""
    taken: list[float] = []
    statuses: Counter[str] = Counter()
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            began = time.perf_counter()
            answer = await client.request(method, path, json=body)
            taken.append(1000 * (time.perf_counter() - began))
            statuses[str(answer.status_code)] += 1

    await client.request(method, path, json=body)  # the function's worker starts
    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    seconds = time.perf_counter() - began
    return {"requests_per_s": round(calls / seconds, 1), "ms": percentiles(taken), "statuses": dict(statuses)}


async def flood(client: httpx.AsyncClient, video: str) -> dict[str, Any]:
    """10,000 list calls, while an honest client looks at its video."""
    waits: list[float] = []
    statuses: Counter[str] = Counter()
    over = asyncio.Event()

    async def honest() -> None:
        while not over.is_set():
            began = time.perf_counter()
            answer = await client.get(f"/v1/videos/{video}")
            waits.append(1000 * (time.perf_counter() - began))
            statuses[str(answer.status_code)] += 1
            await asyncio.sleep(HONEST_EVERY_S)

    beside = asyncio.create_task(honest())
    figures = await measured(client, LIST_CALLS, "GET", "/v1/videos?limit=100")
    over.set()
    await beside
    return {"list": figures, "honest": {"ms": percentiles(waits), "statuses": dict(statuses)}}


async def bench(studio: Studio) -> dict[str, Any]:
    """All of it."""
    ours = json.loads((studio.local_dir / "deployment.json").read_bytes())["outputs"]["ApiId"]
    async with client_of(studio, empty_api(studio)) as empty, client_of(studio, ours) as client:
        video = (await client.post("/v1/videos", json=GOOD)).json()["id"]
        return {
            "clients": CLIENTS,
            "empty function": await measured(empty, CALLS, "GET", "/"),
            "retrieve": await measured(client, CALLS, "GET", f"/v1/videos/{video}"),
            "create": await measured(client, CALLS // 4, "POST", "/v1/videos", GOOD),
            "list of 20": await measured(client, CALLS, "GET", "/v1/videos?limit=20"),
            f"{LIST_CALLS} lists of 100": await flood(client, video),
            "load_average": os.getloadavg()[0],
        }


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), settings={"REVALIDA_LOCAL_AGENTS": "false"}) as running_studio,
    ):
        sys.stdout.write(json.dumps(asyncio.run(bench(running_studio)), indent=2) + "\n")
