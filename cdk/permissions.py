"""What each role may do: the whole of it, on one screen, so that a reviewer reads it in one place."""

from dataclasses import dataclass

from cdk.events import Events
from cdk.fleet import Fleet
from cdk.functions import DomainFunction
from cdk.queues import JobQueues
from cdk.storage import Storage

_READ = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"]
_WRITE = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
_SEND = ["sqs:SendMessage", "sqs:GetQueueUrl"]

_KEYS_REASON = "Objects have keys that are made at run time; the prefix is fixed."
_INDEX_REASON = "The table's two indexes."
_NO_RESOURCE_REASON = "This read-only action knows no resources."
_GROUP_REASON = "Only the group's unique id is a wildcard; its name is fixed."


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """Grants, in the words of what a function does. Each wildcard is acknowledged where it is granted."""

    storage: Storage
    queues: JobQueues
    fleet: Fleet
    events: Events

    def api(self, function: DomainFunction) -> None:
        """Accepts jobs, shows and cancels them, signs links to their files, tells of the fleet."""
        self._table(function, _READ + _WRITE)
        function.allow([*_SEND, "sqs:GetQueueAttributes"], self.queues.arns)
        self._objects(function, ["s3:GetObject"], "videos/*", "uploads/*", "inputs/*", "loras/*", "characters/*")
        self._objects(function, ["s3:PutObject"], "uploads/*", "inputs/*", "characters/*")
        self._objects(function, ["s3:DeleteObject"], "videos/*", "checkpoints/*", "uploads/*", "inputs/*")
        self._objects(function, ["s3:DeleteObject"], "characters/*", "loras/character_*")
        # What was delivered to the drop folder goes with its video, where it is still that video's.
        self._objects(function, ["s3:GetObject", "s3:DeleteObject"], "outbox/*")
        self._list_bucket(function)
        self._describe_fleet(function)

    def drop_folder(self, function: DomainFunction) -> None:
        """Reads what was dropped, accepts its jobs, writes the receipt."""
        self._table(function, _READ + _WRITE)
        function.allow(_SEND, self.queues.arns)
        self._objects(function, ["s3:GetObject", "s3:GetObjectVersion"], "inbox/*")
        self._objects(function, ["s3:GetObject", "s3:PutObject"], "outbox/*", "inputs/*")
        self._objects(function, ["s3:GetObject"], "uploads/*", "loras/*")
        self._list_bucket(function)

    def video_requested(self, function: DomainFunction) -> None:
        """Accepts the job that an event asks for."""
        self._table(function, _READ + _WRITE)
        function.allow(_SEND, self.queues.arns)
        self._objects(function, ["s3:GetObject", "s3:PutObject"], "inputs/*")
        self._objects(function, ["s3:GetObject"], "uploads/*", "loras/*")
        self._list_bucket(function)

    def publisher(self, function: DomainFunction) -> None:
        """Turns changes of the table into events, and books what an ended job cost and taught."""
        function.allow(["dynamodb:GetItem", *_WRITE], [self.storage.table.table_arn])
        function.allow(["events:PutEvents"], [self.events.bus.event_bus_arn])
        function.accept_wildcard("*", "The stream's event source lists streams, an action that knows no resources.")

    def outbox(self, function: DomainFunction) -> None:
        """Puts a finished job's files beside the file that asked for it."""
        function.allow(["dynamodb:GetItem"], [self.storage.table.table_arn])
        self._objects(function, ["s3:GetObject"], "videos/*")
        self._objects(function, ["s3:GetObject", "s3:PutObject"], "outbox/*")
        self._list_bucket(function)

    def webhooks(self, function: DomainFunction) -> None:
        """Reads who wants to be told, keeps the log, tells the bus of an endpoint that it disables."""
        function.allow(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"], [self.storage.table.table_arn])
        function.allow(["events:PutEvents"], [self.events.bus.event_bus_arn])

    def planner(self, function: DomainFunction) -> None:
        """Reads the backlog, which weights there are and the Spot prices, sets the groups' sizes, keeps its record."""
        self._table(function, [*_READ, "dynamodb:PutItem"])
        self._list_bucket(function)
        self._describe_fleet(function)
        function.allow(["ec2:DescribeSpotPriceHistory"], ["*"])
        self._on_groups(function, ["autoscaling:SetDesiredCapacity", "autoscaling:UpdateAutoScalingGroup"])

    def sweeper(self, function: DomainFunction) -> None:
        """Settles orphans: jobs without a message or a living lease, instances without an agent, forgotten files; takes
        in characters' folders that are quiet."""
        self._table(function, _READ + _WRITE)
        function.allow([*_SEND, "sqs:GetQueueAttributes"], self.queues.arns)
        self._objects(function, ["s3:DeleteObject"], "videos/*", "checkpoints/*", "inputs/*", "uploads/*")
        self._objects(function, ["s3:GetObject"], "inbox/characters/*", "outbox/characters/*")
        self._objects(function, ["s3:PutObject"], "characters/*", "outbox/characters/*")
        self._objects(function, ["s3:DeleteObject"], "characters/*")
        self._list_bucket(function)
        self._on_groups(function, ["autoscaling:TerminateInstanceInAutoScalingGroup"])

    def _table(self, function: DomainFunction, actions: list[str]) -> None:
        table_arn = self.storage.table.table_arn
        function.allow(actions, [table_arn, f"{table_arn}/index/*"])
        function.accept_wildcard(f"{table_arn}/index/*", _INDEX_REASON)

    def _objects(self, function: DomainFunction, actions: list[str], *patterns: str) -> None:
        arns = [self.storage.media.arn_for_objects(pattern) for pattern in patterns]
        function.allow(actions, arns)
        for arn in arns:
            function.accept_wildcard(arn, _KEYS_REASON)

    def _list_bucket(self, function: DomainFunction) -> None:
        """Also makes a missing key a 404 and not a 403."""
        function.allow(["s3:ListBucket"], [self.storage.media.bucket_arn])

    def _describe_fleet(self, function: DomainFunction) -> None:
        function.allow(["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities"], ["*"])
        function.accept_wildcard("*", _NO_RESOURCE_REASON)

    def _on_groups(self, function: DomainFunction, actions: list[str]) -> None:
        function.allow(actions, self.fleet.group_arns)
        for arn in self.fleet.group_arns:
            function.accept_wildcard(arn, _GROUP_REASON)
