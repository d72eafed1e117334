"""The three doors of the running local system, used as developers, producers and integrators use them."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from jobs.keys import KeyStore
from tests.chaos.world.agents import wait_for
from tests.chaos.world.emulator import LocalAws

CALL_TIMEOUT_S = 60.0
ACCEPT_TIMEOUT_S = 180.0
MAX_ENTRIES = 10  # PutEvents takes ten
SAID_TWICE = 5  # every fifth request is repeated, as an impatient client or an at-least-once bus does
Request = dict[str, Any]


class Doors:
    """Puts requests in; every door repeats some, which must not make a second job."""

    def __init__(self, aws: LocalAws, *, api_base: str, event_bus: str) -> None:
        self._aws = aws
        self._api_base = api_base
        self._event_bus = event_bus

    def through_api(self, requests: Sequence[Request], *, owner: str, name: str) -> list[str]:
        """Ids of the accepted jobs."""
        key = KeyStore(self._aws.table, client=self._aws.client("dynamodb")).create(owner=owner, name="chaos")
        found = []
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=CALL_TIMEOUT_S, trust_env=False) as http:
            for number, request in enumerate(requests):
                for _ in range(_times(number)):
                    found.append(self._post(http, request, key=f"{name}-{owner}-{number}"))
        return found

    def _post(self, http: httpx.Client, request: Request, *, key: str) -> str:
        """The accepted job's id; a server that is out of breath is asked again under the same idempotency key."""

        def ask() -> httpx.Response | None:
            answer = http.post(f"{self._api_base}/videos", json=request, headers={"Idempotency-Key": key})
            return None if answer.is_server_error else answer

        answer: httpx.Response = wait_for(ask, what="the API's answer", timeout_s=ACCEPT_TIMEOUT_S)
        assert answer.status_code == httpx.codes.OK, answer.text
        return str(answer.json()["id"])

    def through_folder(self, requests: Sequence[Request], *, name: str) -> list[str]:
        """One file of JSON lines; the ids are those of its receipt."""
        s3, bucket = self._aws.client("s3"), self._aws.bucket
        lines = "\n".join(json.dumps(request) for request in requests)
        s3.put_object(Bucket=bucket, Key=f"inbox/{name}.jsonl", Body=lines.encode())
        key = f"outbox/{name}.jsonl.receipt.json"

        def receipt() -> Any:
            listed = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents")
            return listed and json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

        entries = wait_for(receipt, what=f"the receipt {key}", timeout_s=ACCEPT_TIMEOUT_S)["entries"]
        assert [entry["status"] for entry in entries] == ["accepted"] * len(requests), entries
        return [str(entry["job_id"]) for entry in entries]

    def through_bus(self, requests: Sequence[Request], *, name: str) -> None:
        """The bus gives no answer: what it made is looked for in the table."""
        before = self._num_of_bus()
        details = [
            json.dumps({"version": "1", "request_id": f"{name}-{number}", **request})
            for number, request in enumerate(requests)
            for _ in range(_times(number))
        ]
        for at in range(0, len(details), MAX_ENTRIES):
            # A few at a time, for each starts a function of its own on this machine.
            entries = [
                {
                    "EventBusName": self._event_bus,
                    "Source": "chaos",
                    "DetailType": "Video Requested",
                    "Detail": detail,
                }
                for detail in details[at : at + MAX_ENTRIES]
            ]
            answer = self._aws.client("events").put_events(Entries=entries)
            assert not answer["FailedEntryCount"], answer
            sent = len({json.loads(detail)["request_id"] for detail in details[: at + MAX_ENTRIES]})
            self._wait_for_bus(before + sent)

    def _wait_for_bus(self, number: int) -> None:
        wait_for(lambda: self._num_of_bus() >= number, what=f"{number} jobs from the bus", timeout_s=ACCEPT_TIMEOUT_S)

    def _num_of_bus(self) -> int:
        everything = self._aws.store().list("default", limit=100_000).jobs
        return sum(job.source.door == "event" for job in everything)


def _times(number: int) -> int:
    return 2 if number % SAID_TWICE == 0 else 1
