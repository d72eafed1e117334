"""Between pydantic records and DynamoDB items: one key scheme, one serialisation."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jobs.job import Job
from jobs.job_schema import JOB_SCHEMA, upgraded

KEY_ATTRIBUTES = ("pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk", "expires_at")
Item = dict[str, Any]


def job_key(job_id: str) -> dict[str, str]:
    return {"pk": f"JOB#{job_id}", "sk": "JOB"}


def input_key(key: str) -> dict[str, str]:
    return {"pk": f"INPUT#{key}", "sk": "INPUT"}


def input_item(key: str, job_id: str) -> dict[str, str]:
    """From a file below `inputs/`, which is there before its job, to the job that it was kept for."""
    return {**input_key(key), "key": key, "job_id": job_id}


def idempotency_key(owner: str, digest: str) -> dict[str, str]:
    return {"pk": f"IDEMPOTENCY#{owner}#{digest}", "sk": "IDEMPOTENCY"}


def api_key(digest: str) -> dict[str, str]:
    return {"pk": f"KEY#{digest}", "sk": "KEY"}


def drop_key(digest: str) -> dict[str, str]:
    return {"pk": f"DROP#{digest}", "sk": "DROP"}


def character_key(character_id: str) -> dict[str, str]:
    return {"pk": f"CHARACTER#{character_id}", "sk": "CHARACTER"}


def character_order(owner: str, character_id: str) -> dict[str, str]:
    """Index `by_owner`: an owner's characters in order of creation (ids sort by time)."""
    return {"gsi1pk": f"CHARACTERS#{owner}", "gsi1sk": character_id}


def instance_key(instance_id: str) -> dict[str, str]:
    return {"pk": "FLEET", "sk": f"INSTANCE#{instance_id}"}


def abilities_key(kind: str) -> dict[str, str]:
    return {"pk": "FLEET", "sk": f"ABILITIES#{kind}"}


def plan_key() -> dict[str, str]:
    return {"pk": "FLEET", "sk": "PLAN"}


def calibration_key() -> dict[str, str]:
    return {"pk": "FLEET", "sk": "CALIBRATION"}


def sample_key(at: float) -> dict[str, str]:
    """The fleet's history: one sample a minute, in order of time."""
    return {"pk": "FLEET_HISTORY", "sk": f"{int(at // 60 * 60):012d}"}


def sweep_key() -> dict[str, str]:
    return {"pk": "FLEET", "sk": "SWEEP"}


def meter_key(month: str, instance_id: str) -> dict[str, str]:
    return {"pk": f"METER#{month}", "sk": f"INSTANCE#{instance_id}"}


def tally_key(month: str, owner: str, model: str) -> dict[str, str]:
    return {"pk": f"TALLY#{month}", "sk": f"{owner}#{model}"}


def tallied_key(ending_id: str) -> dict[str, str]:
    return {"pk": f"TALLIED#{ending_id}", "sk": "TALLIED"}


def key_of_owner(owner: str, key_id: str) -> dict[str, str]:
    return {"pk": f"KEYS#{owner}", "sk": f"KEY#{key_id}"}


def usage_key(key_id: str, name: str) -> dict[str, str]:
    """A counter of a key: `MONTH#2026-11`, `DAY#2026-11-22`, `ACTIVE`, `RATE#<window>`."""
    return {"pk": f"USAGE#{key_id}", "sk": name}


def settlement_key(ending_id: str) -> dict[str, str]:
    return {"pk": f"SETTLED#{ending_id}", "sk": "SETTLED"}


def open_charge_key(job_id: str) -> dict[str, str]:
    return {"pk": f"OPEN_CHARGE#{job_id}", "sk": "OPEN_CHARGE"}


def open_charge_order(job_id: str) -> dict[str, str]:
    """Index `by_state`: what is still to be settled, in order of the jobs' creation."""
    return {"gsi2pk": "OPEN_CHARGES", "gsi2sk": job_id}


def audit_key(key_id: str, entry_id: str) -> dict[str, str]:
    return {"pk": f"AUDIT#{key_id}", "sk": entry_id}


def webhook_key(owner: str, endpoint_id: str) -> dict[str, str]:
    return {"pk": f"WEBHOOKS#{owner}", "sk": f"WEBHOOK#{endpoint_id}"}


def delivery_key(receiver: str, delivery_id: str) -> dict[str, str]:
    return {"pk": f"DELIVERIES#{receiver}", "sk": f"DELIVERY#{delivery_id}"}


def delivery_order(receiver: str, created_at: float, delivery_id: str) -> dict[str, str]:
    """Index `by_owner`: a receiver's deliveries in order of time (to the millisecond)."""
    return {"gsi1pk": f"DELIVERIES#{receiver}", "gsi1sk": f"{int(created_at * 1000):015d}#{delivery_id}"}


def owner_key(owner: str, job_id: str) -> dict[str, str]:
    """Index `by_owner`: an owner's jobs in order of creation (ids sort by time)."""
    return {"gsi1pk": f"OWNER#{owner}", "gsi1sk": job_id}


def training_key(owner: str, job_id: str) -> dict[str, str]:
    """The same for jobs that train a character: they are its own, and in no list of videos."""
    return {"gsi1pk": f"TRAININGS#{owner}", "gsi1sk": job_id}


def state_key(status: str, job_id: str) -> dict[str, str]:
    """Index `by_state`: all jobs of a state in order of creation."""
    return {"gsi2pk": f"STATE#{status}", "gsi2sk": job_id}


def plain(value: Any) -> Any:
    """JSON-like Python values with floats as Decimal, as DynamoDB wants them."""
    return json.loads(json.dumps(value), parse_float=Decimal)


def marshal(values: Mapping[str, Any]) -> Item:
    """Plain values to DynamoDB's typed form."""
    from boto3.dynamodb.types import TypeSerializer

    serialise = TypeSerializer().serialize
    return {name: serialise(value) for name, value in plain(dict(values)).items()}


def unmarshal(item: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB's typed form (of an answer, or of a stream's image) to plain values."""
    from boto3.dynamodb.types import TypeDeserializer

    deserialise = TypeDeserializer().deserialize
    return {name: _undecimal(deserialise(value)) for name, value in item.items()}


def _undecimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _undecimal(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_undecimal(inner) for inner in value]
    return value


def job_to_item(job: Job, *, over: Item | None = None) -> Item:
    """The JOB item: the record's fields side by side with its keys.

    `over` is the item that it replaces: what a newer release wrote there, and this one does not know, stays."""
    fields = {"schema": JOB_SCHEMA, **job.model_dump(mode="json", exclude_none=True)}
    listed = owner_key(job.owner, job.id) if job.training is None else training_key(job.owner, job.id)
    keys = {**job_key(job.id), **listed, **state_key(job.status, job.id)}
    item = marshal({**fields, **keys})
    if over is None:
        return item
    known = {*Job.model_fields, *keys, "schema"}
    kept = {name: value for name, value in over.items() if name not in known}
    if int(over.get("schema", {"N": "1"})["N"]) >= JOB_SCHEMA:
        # As a request was accepted, so it stays, with whatever a newer release has put into it.
        kept |= {name: over[name] for name in ("schema", "request") if name in over}
    return {**item, **kept}


def job_from_item(item: Mapping[str, Any]) -> Job:
    """The record in a JOB item, of the table or of its stream, whichever release wrote it.

    Fields that this release does not know are passed over, however deep: two releases run side by side during a
    deploy. What an older one wrote in another way is put into today's words by `jobs.job_schema`."""
    values = {name: value for name, value in unmarshal(item).items() if name not in KEY_ATTRIBUTES}
    return Job.model_validate(upgraded(values), extra="ignore")
