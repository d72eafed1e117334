"""One queue a model, so that an agent polls only for what it can run, and one dead-letter queue behind all."""

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.nag import acknowledge
from cdk.settings import QueueSettings
from models.catalog import ModelSpec


class JobQueues(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, prefix: str, models: Iterable[ModelSpec], settings: QueueSettings
    ) -> None:
        super().__init__(scope, construct_id)
        self.prefix = prefix
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=f"{prefix}-jobs-dead",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        acknowledge(self.dead_letters, "AwsSolutions-SQS3", "This is the dead-letter queue.")
        self.by_model = {spec.id: self._queue(spec, settings) for spec in models}

    def _queue(self, spec: ModelSpec, settings: QueueSettings) -> sqs.Queue:
        return sqs.Queue(
            self,
            spec.id,
            queue_name=f"{self.prefix}-jobs-{spec.queue_name}",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            visibility_timeout=Duration.seconds(settings.visibility_timeout_s),
            retention_period=Duration.days(settings.retention_days),
            receive_message_wait_time=Duration.seconds(20),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=settings.max_receives),
        )

    @property
    def arns(self) -> list[str]:
        return [queue.queue_arn for queue in self.by_model.values()]
