"""Webhooks: the bus puts the ends of videos into a queue, and a function tells the receivers, again and again."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.events import SOURCE, Events
from cdk.functions import DomainFunction

FUNCTION_TIMEOUT_S = 30  # a try takes 10 s at most
# All but progress, which comes with every denoise step: who wants that polls, or listens to the bus.
_DETAIL_TYPES = [
    f"Video {word}" for word in ("Queued", "Started", "Interrupted", "Resumed", "Completed", "Failed", "Cancelled")
]


class Webhooks(Construct):
    """A delivery that fails hides its message until the next try; the schedule is the function's, not the queue's."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        at_once: int,
        bus: Events,
        dead_letters: sqs.IQueue,
        function: DomainFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Deliveries",
            queue_name=f"{prefix}-webhooks",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            visibility_timeout=Duration.seconds(6 * FUNCTION_TIMEOUT_S),  # as Lambda's guide has it
            retention_period=Duration.days(14),
            # Eight tries, and errors of the function itself beside them.
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=30),
        )
        rule = events.Rule(
            self,
            "Told",
            event_bus=bus.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=_DETAIL_TYPES),
        )
        rule.add_target(
            targets.SqsQueue(
                self.queue, dead_letter_queue=dead_letters, max_event_age=Duration.hours(24), retry_attempts=185
            )
        )
        function.allow(["sqs:SendMessage", "sqs:GetQueueUrl"], [self.queue.queue_arn])
        function.function.add_event_source(
            # One at a time: a receiver that is slow, or an error, touches no other message.
            sources.SqsEventSource(self.queue, batch_size=1, max_concurrency=at_once, report_batch_item_failures=True)
        )
