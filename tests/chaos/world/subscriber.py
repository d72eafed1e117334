"""A downstream system: a queue that a rule on the bus fills with what the deployed publisher puts there."""

import json
import threading
from collections import defaultdict

from tests.chaos.world.emulator import LocalAws

QUEUE = "chaos-subscriber"
TOLD = (
    "Video Queued",
    "Video Started",
    "Video Interrupted",
    "Video Resumed",
    "Video Completed",
    "Video Failed",
    "Video Cancelled",
)
LOOK_S = 0.5


class Subscriber:
    """Collects events until closed. SQS may deliver one twice; its `event_id` tells."""

    def __init__(self, aws: LocalAws, *, event_bus: str) -> None:
        self._sqs = aws.client("sqs")
        self._url = self._sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events = aws.client("events")
        pattern = {"source": ["revalida.video"], "detail-type": list(TOLD)}
        events.put_rule(Name=QUEUE, EventBusName=event_bus, EventPattern=json.dumps(pattern), State="ENABLED")
        events.put_targets(Rule=QUEUE, EventBusName=event_bus, Targets=[{"Id": "queue", "Arn": arn}])
        self._lock = threading.Lock()
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._deliveries = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="subscriber", daemon=True)
        self._thread.start()

    @property
    def deliveries(self) -> int:
        with self._lock:
            return self._deliveries

    def completions(self, job_id: str) -> list[str]:
        """The distinct ids of the job's completion events."""
        with self._lock:
            return sorted(one for one in self._ids[job_id] if one.startswith(f"{job_id}:completed:"))

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._closing.is_set():
            batch = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
            for message in batch:
                detail = json.loads(message["Body"])["detail"]
                with self._lock:
                    self._ids[detail["job"]["id"]].add(detail["event_id"])
                    self._deliveries += 1
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            if not batch:
                self._closing.wait(LOOK_S)
