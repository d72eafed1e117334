"""Which jobs are still to be booked to their keys' accounts: one item a job, written with the job, removed with its
settlement. The stream settles a job within a second of its end; the sweeper settles what the stream never told of."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs import items
from jobs.job import Charge, Job

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = 100


class OpenCharge(NamedTuple):
    """A job whose cost has not been booked."""

    job_id: str
    charge: Charge


def opening(table: str, job: Job) -> dict[str, Any]:
    """The write that goes with a new job that has a charge; it cannot fail."""
    if job.charge is None:
        raise ValueError(f"{job.id} has no charge")
    keys = items.open_charge_order(job.id)
    values = {":pk": keys["gsi2pk"], ":sk": keys["gsi2sk"], ":charge": job.charge.model_dump(mode="json")}
    return {
        "TableName": table,
        "Key": items.marshal(items.open_charge_key(job.id)),
        "UpdateExpression": "SET gsi2pk = :pk, gsi2sk = :sk, charge = :charge",
        "ExpressionAttributeValues": items.marshal(values),
    }


def closing(table: str, job_id: str) -> dict[str, Any]:
    """The write that goes with a settlement, whether the job had such an item or not."""
    return {"TableName": table, "Key": items.marshal(items.open_charge_key(job_id))}


def open_charges(client: "DynamoDBClient", table: str) -> Iterator[OpenCharge]:
    """All of them, the oldest job first."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName="by_state",
        KeyConditionExpression="gsi2pk = :pk",
        ExpressionAttributeValues=items.marshal({":pk": items.open_charge_order("")["gsi2pk"]}),
        PaginationConfig={"PageSize": PAGE},
    )
    for page in pages:
        for item in page["Items"]:
            values = items.unmarshal(item)
            yield OpenCharge(values["gsi2sk"], Charge.model_validate(values["charge"]))
