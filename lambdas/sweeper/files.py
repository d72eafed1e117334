"""One chunk of each of the bucket's prefixes: what nobody needs any more is deleted, and counted."""

from collections.abc import Iterable, Iterator, Sequence

from aws_lambda_powertools import Logger

from jobs import aws, items
from jobs.job import Job
from jobs.orphans import Found, Kind, job_of, orphans
from jobs.settings import settings

CHUNK = 300  # objects of a prefix that one run looks at
KINDS: tuple[Kind, ...] = ("checkpoints", "videos", "inputs", "uploads")
_BATCH = 100  # of one BatchGetItem
logger = Logger(child=True)


def sweep(*, upload_lifetime_s: float, now: float) -> dict[str, int]:
    """Objects deleted, by kind."""
    cursors = _cursors()
    counts: dict[str, int] = {}
    for kind in KINDS:
        found = _chunk(kind, cursors.get(kind, ""))
        keys = orphans(kind, found, _jobs(kind, found), upload_lifetime_s=upload_lifetime_s, now=now)
        _delete(kind, keys)
        counts[f"{kind}_deleted"] = len(keys)
        # A chunk that is not full was the end: the next run begins anew.
        cursors[kind] = found[-1].key if len(found) == CHUNK else ""
    _keep(cursors)
    return counts


def _chunk(kind: Kind, after: str) -> list[Found]:
    answer = aws.s3().list_objects_v2(
        Bucket=settings().media_bucket, Prefix=f"{kind}/", StartAfter=after, MaxKeys=CHUNK
    )
    return [Found(one["Key"], one["LastModified"].timestamp()) for one in answer.get("Contents", [])]


def _jobs(kind: Kind, found: Sequence[Found]) -> dict[str, Job]:
    """The jobs that there are, by the keys of their files."""
    ids = _job_ids(kind, [one.key for one in found])
    records = _records(items.job_key(job_id) for job_id in sorted(set(ids.values())))
    jobs = {job.id: job for job in map(items.job_from_item, records)}
    return {key: jobs[job_id] for key, job_id in ids.items() if job_id in jobs}


def _job_ids(kind: Kind, keys: Sequence[str]) -> dict[str, str]:
    """Whose files they are, by key."""
    if kind == "uploads":
        return {}
    if kind == "inputs":
        records = map(items.unmarshal, _records(items.input_key(key) for key in keys))
        return {record["key"]: record["job_id"] for record in records}
    return {key: job_of(key) for key in keys}


def _records(wanted: Iterable[dict[str, str]]) -> Iterator[items.Item]:
    """The items of these keys, as far as there are any."""
    table, keys = settings().table, [items.marshal(key) for key in wanted]
    for start in range(0, len(keys), _BATCH):
        request = {table: {"Keys": keys[start : start + _BATCH], "ConsistentRead": True}}
        while request:
            answer = aws.dynamodb().batch_get_item(RequestItems=request)  # type: ignore[arg-type]
            yield from answer["Responses"].get(table, [])
            request = answer.get("UnprocessedKeys", {})  # type: ignore[assignment]


def _delete(kind: Kind, keys: Sequence[str]) -> None:
    if not keys:
        return
    logger.info("deleting orphans", extra={"kind": kind, "keys": list(keys)})
    objects = [{"Key": key} for key in keys]
    answer = aws.s3().delete_objects(Bucket=settings().media_bucket, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]
    if answer.get("Errors"):
        raise RuntimeError(f"{len(answer['Errors'])} objects not deleted, the first: {answer['Errors'][0]}")


def _cursors() -> dict[str, str]:
    answer = aws.dynamodb().get_item(TableName=settings().table, Key=items.marshal(items.sweep_key()))
    return dict(items.unmarshal(answer["Item"])["cursors"]) if "Item" in answer else {}


def _keep(cursors: dict[str, str]) -> None:
    aws.dynamodb().put_item(TableName=settings().table, Item=items.marshal({**items.sweep_key(), "cursors": cursors}))
