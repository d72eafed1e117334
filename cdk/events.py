"""The bus that tells the world what happens to videos, and the rules by which our own functions listen."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.functions import DomainFunction

SOURCE = "revalida.video"


class Events(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, bus_name: str, archive_days: int, dead_letters: sqs.IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(self, "Bus", event_bus_name=bus_name)
        self._dead_letters = dead_letters
        if archive_days:
            self.bus.archive(
                "Archive",
                description="Every event of the studio, to be replayed to a consumer that was down",
                event_pattern=events.EventPattern(source=[SOURCE]),
                retention=Duration.days(archive_days),
            )

    def on_video(
        self,
        construct_id: str,
        detail_types: list[str],
        function: DomainFunction,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Has `function` called for the studio's own events of these types, where `detail` matches."""
        pattern = events.EventPattern(source=[SOURCE], detail_type=detail_types, detail=detail)
        self._rule(construct_id, function, pattern, self.bus)

    def on_request(self, construct_id: str, function: DomainFunction) -> None:
        """Has `function` called for `Video Requested`, from whatever source: anyone may ask who may put events."""
        self._rule(construct_id, function, events.EventPattern(detail_type=["Video Requested"]), self.bus)

    def on_object(self, construct_id: str, bucket: s3.IBucket, prefix: str, function: DomainFunction) -> None:
        """Has `function` called for each object created under `prefix` (S3 sends these to the default bus)."""
        pattern = events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": prefix}]}},
        )
        self._rule(construct_id, function, pattern, None)

    def each_minute(self, construct_id: str, function: DomainFunction) -> None:
        rule = events.Rule(self, construct_id, schedule=events.Schedule.rate(Duration.minutes(1)))
        # A minute's tick that could not be delivered is not worth keeping: the next one does the same.
        rule.add_target(targets.LambdaFunction(function.function, retry_attempts=0))

    def _rule(
        self,
        construct_id: str,
        function: DomainFunction,
        pattern: events.EventPattern,
        bus: events.IEventBus | None,
    ) -> None:
        rule = events.Rule(self, construct_id, event_bus=bus, event_pattern=pattern)
        rule.add_target(
            targets.LambdaFunction(
                function.function,
                dead_letter_queue=self._dead_letters,
                max_event_age=Duration.hours(24),
                retry_attempts=185,
            )
        )
        function.keep_failed_events(self._dead_letters)
