"""Wakes: the planner is told that work has come, once for many jobs that come at once.

Each event puts one small message into a queue, and the function takes all that are there. Sixty jobs in a second are
one or two runs, not sixty: each run reads the whole backlog, so the second of two at the same time learns nothing.
"""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.events import SOURCE, Events
from cdk.functions import DomainFunction
from cdk.nag import acknowledge

_GATHER = Duration.seconds(1)  # the least that Lambda takes for a batch of more than ten: what a first job waits
_AT_ONCE = 1_000
_FUNCTIONS_AT_ONCE = 2  # the least that Lambda takes


class Wakes(Construct):
    """Calls `function` soon after events of `detail_types`, with as many of them at once as there are."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        queue_name: str,
        bus: Events,
        detail_types: list[str],
        function: DomainFunction,
        function_timeout_s: int,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            visibility_timeout=Duration.seconds(6 * function_timeout_s),  # as Lambda's guide has it
            retention_period=Duration.seconds(6 * function_timeout_s),
        )
        acknowledge(
            self.queue,
            "AwsSolutions-SQS3",
            "A wake that failed is not worth keeping: the next minute's run does the same.",
        )
        rule = events.Rule(
            self,
            "Rule",
            event_bus=bus.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=detail_types),
        )
        target = targets.SqsQueue(
            self.queue, message=events.RuleTargetInput.from_text("wake"), dead_letter_queue=dead_letters
        )
        rule.add_target(target)
        function.function.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=_AT_ONCE,
                max_batching_window=_GATHER,
                max_concurrency=_FUNCTIONS_AT_ONCE,
            )
        )
