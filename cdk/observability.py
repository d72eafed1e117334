"""Alarms to one topic: what an operator must know to sleep. Each has its section in docs/runbook.md."""

from typing import NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.metrics import FIVE_MINUTES, of_service
from cdk.queues import JobQueues

_STREAM_LATE = Duration.minutes(5)
_PLANNER_AWAY = Duration.minutes(15)


class _Rule(NamedTuple):
    """An alarm on one of the functions' own metrics. `Minimum` over five minutes is a state that lasts."""

    name: str
    service: str
    metric: str
    statistic: str
    threshold: float
    description: str
    period: Duration = FIVE_MINUTES


_RULES = (
    _Rule(
        "spend-limit", "planner", "SpendingStopped", "Minimum", 1,
        "The month's spend limit is reached: nothing is launched any more.",
    ),
    _Rule("spend-near-limit", "planner", "SpendShare", "Maximum", 80, "Four fifths of the month's limit are spent."),
    _Rule(
        "launches-fail", "planner", "LaunchesFail", "Minimum", 1,
        "Instances cannot be launched: no capacity, a quota, or a broken launch template.",
    ),
    _Rule(
        "silent-instances", "planner", "SilentInstances", "Minimum", 1,
        "Instances are paid for without an agent, and the sweeper has not ended them.",
    ),
    _Rule("stalled-jobs", "planner", "StalledJobs", "Minimum", 1, "Jobs take three times what was predicted."),
    _Rule("jobs-fail", "publisher", "JobsFailed", "Sum", 5, "Five jobs failed within a quarter of an hour.",
          Duration.minutes(15)),
    _Rule("interruptions", "publisher", "Interruptions", "Sum", 10, "Ten jobs lost their instance within an hour.",
          Duration.hours(1)),
)  # fmt: skip


class Observability(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        alerts: sns.Topic,
        functions: dict[str, lambda_.Function],
        queues: JobQueues,
        failures: sqs.Queue,
        api: apigateway.HttpApi,
        latency_target_s: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = prefix
        self._alerts = alerts
        self._on_functions(functions)
        # To Lambda an answer is a success, whatever its status.
        answers = api.metric_server_error(period=FIVE_MINUTES, statistic="Sum")
        self._alarm("api-5xx", answers, 1, "Callers of the API get 500.")
        self._on_dead_letters({"job": queues.dead_letters, "lambda-failures": failures})
        for model_id in queues.by_model:
            # By the table, from acceptance on: SQS leaves out messages that were received three times.
            self._alarm(
                f"queue-age-{model_id}",
                of_service("planner", "OldestWaitS", "Maximum", model=model_id),
                latency_target_s,
                f"A {model_id} job waits for longer than the latency target.",
            )
        for rule in _RULES:
            metric = of_service(rule.service, rule.metric, rule.statistic, rule.period)
            self._alarm(rule.name, metric, rule.threshold, rule.description)

    def _on_functions(self, functions: dict[str, lambda_.Function]) -> None:
        for name, function in functions.items():
            self._alarm(f"{name}-errors", function.metric_errors(period=FIVE_MINUTES), 1, "The function fails.")
        self._alarm(
            "publisher-late",
            functions["publisher"].metric("IteratorAge", statistic="Maximum", period=FIVE_MINUTES),
            _STREAM_LATE.to_milliseconds(),
            "Events are told more than five minutes late.",
        )
        self._alarm(
            "planner-away",
            functions["planner"].metric_invocations(period=_PLANNER_AWAY, statistic="Sum"),
            1,
            "The planner has not run for a quarter of an hour: nobody sizes the fleet.",
            below=True,
        )

    def _on_dead_letters(self, queues: dict[str, sqs.Queue]) -> None:
        for name, queue in queues.items():
            self._alarm(
                f"{name}-dead-letters",
                queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum"),
                1,
                f"A {name} was given up.",
            )

    def _alarm(
        self, name: str, metric: cloudwatch.Metric, threshold: float, description: str, *, below: bool = False
    ) -> None:
        comparison = cloudwatch.ComparisonOperator
        missing = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=comparison.LESS_THAN_THRESHOLD
            if below
            else comparison.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=missing.BREACHING if below else missing.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._alerts))
