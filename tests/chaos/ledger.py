"""Every change of every job, read from the table's stream as the publisher reads it."""

from collections import defaultdict
from dataclasses import dataclass

from jobs import items
from jobs.events import EventDetail, changes
from jobs.job import Job
from jobs.states import is_terminal
from tests.chaos.world.emulator import LocalAws


@dataclass(frozen=True)
class Change:
    old: Job | None
    new: Job | None


def read_changes(aws: LocalAws) -> dict[str, list[Change]]:
    """The changes of each job, in order."""
    stream = aws.client("dynamodb").describe_table(TableName=aws.table)["Table"]["LatestStreamArn"]
    streams = aws.client("dynamodbstreams")
    found: dict[str, list[Change]] = defaultdict(list)
    for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator)
            if not answer["Records"]:
                break
            for record in answer["Records"]:
                change = record["dynamodb"]
                if change["Keys"]["sk"]["S"] == "JOB":
                    pair = Change(_job(change.get("OldImage")), _job(change.get("NewImage")))
                    found[change["Keys"]["pk"]["S"].removeprefix("JOB#")].append(pair)
            iterator = answer.get("NextShardIterator")
    return found


def events_of(history: list[Change]) -> list[EventDetail]:
    """What the publisher makes of it."""
    return [event for change in history for event in changes(change.old, change.new)]


def changed_after_end(history: list[Change]) -> bool:
    """Whether an ended job was written to again."""
    return any(change.old is not None and is_terminal(change.old.status) for change in history)


def _job(image: dict[str, object] | None) -> Job | None:
    return items.job_from_item(image) if image else None
