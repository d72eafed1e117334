"""`revalida doctor` against the deployed local system: its stack, its API, its group, and a video that is made."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.stub import Stubber

from cli.doctor.command import examine
from cli.doctor.finding import Status
from cli.doctor.smoke import smoke
from cli.doctor.wanted import read
from cli.session import Session
from tests.e2e.studio import REPOSITORY, Studio

NEW_ACCOUNT_VCPUS = 0.0


class ToLocalApi(httpx.HTTPTransport):
    """The API by the name that the stack's output gives it, at the address of the local AWS."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._at = httpx.URL(str(studio.stack["aws_endpoint"]))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        # The header `Host` stands as it is: by it the API is found.
        request.url = request.url.copy_with(scheme=self._at.scheme, host=self._at.host, port=self._at.port)
        return super().handle_request(request)


def clients_of(studio: Studio) -> Any:
    """The local AWS, which has no Service Quotas: those answer as a new account's do."""
    quotas = boto3.client(
        "service-quotas", region_name="us-east-2", aws_access_key_id="test", aws_secret_access_key="test"
    )
    stub = Stubber(quotas)
    for _ in range(2):
        stub.add_response("get_service_quota", {"Quota": {"Value": NEW_ACCOUNT_VCPUS}})
    stub.activate()
    return lambda service: quotas if service == "service-quotas" else studio.aws(service)


def test_given_the_local_deployment_then_the_doctor_finds_what_is_there_what_is_not_and_makes_a_video(
    studio: Studio,
) -> None:
    wanted = read(Path(REPOSITORY) / "cdk.json")
    session = Session(api_base=studio.api_base, api_key=studio.api_key, as_json=True)

    with httpx.Client(transport=ToLocalApi(studio)) as http:
        found = {one.check: one for one in examine(wanted, clients_of(studio), http, partial(smoke, session))}

    assert {check: one.status.value for check, one in found.items()} == {
        "credentials": "ok",
        "region": "ok",
        "Spot quota L-3819A6DF": "failure",
        "on-demand quota L-DB2E81BA": "failure",
        "CDK bootstrap": "ok",
        "stack": "ok",
        f"weights of {wanted.default_model}": "failure",  # production's model: nobody has pulled it
        "API": "ok",
        "dry-run launch": "failure",  # the local Auto Scaling shows no launch template
        "smoke job": "ok",
    }
    assert all(one.next_step for one in found.values() if one.status is not Status.OK)
