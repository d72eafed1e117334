"""Alarms to one topic, and one dashboard: what an operator must know to sleep."""

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.queues import JobQueues

_METRIC_OF = {"spend-limit": "SpendingStopped", "launches-fail": "LaunchesFail"}
_PLANNER_ALARMS = {
    "spend-limit": "The month's spend limit is reached: nothing is launched any more.",
    "launches-fail": "Instances cannot be launched: no capacity, a quota, or a broken launch template.",
}


class Alerts(Construct):
    """The topic that tells the operator, encrypted in transit; an e-mail address subscribes by the settings."""

    def __init__(self, scope: Construct, construct_id: str, *, email: str) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", display_name="Revalida Video alarms", enforce_ssl=True)
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))


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
        latency_target_s: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix = prefix
        self._alerts = alerts
        for name, function in functions.items():
            self._alarm(f"{name}-errors", function.metric_errors(period=Duration.minutes(5)), 1, "The function fails.")
        for name, queue in {"job": queues.dead_letters, "lambda-failures": failures}.items():
            self._alarm(
                f"{name}-dead-letters",
                queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(5), statistic="Maximum"),
                1,
                f"A {name} was given up.",
            )
        for model_id, queue in queues.by_model.items():
            self._alarm(
                f"queue-age-{model_id}",
                queue.metric_approximate_age_of_oldest_message(period=Duration.minutes(5)),
                latency_target_s,
                f"A {model_id} job waits for longer than the latency target.",
            )
        for name, description in _PLANNER_ALARMS.items():
            metric = cloudwatch.Metric(
                namespace="Revalida",
                metric_name=_METRIC_OF[name],
                dimensions_map={"service": "planner"},
                statistic="Minimum",
                period=Duration.minutes(5),
            )
            self._alarm(name, metric, 1, description)
        self._dashboard(functions.values(), queues)

    def _alarm(self, name: str, metric: cloudwatch.Metric, threshold: float, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._alerts))

    def _dashboard(self, functions: Iterable[lambda_.Function], queues: JobQueues) -> None:
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=f"{self._prefix}-video")
        dashboard.add_widgets(
            cloudwatch.GraphWidget(
                title="Jobs waiting",
                left=[queue.metric_approximate_number_of_messages_visible() for queue in queues.by_model.values()],
            ),
            cloudwatch.GraphWidget(
                title="Age of the oldest job (s)",
                left=[queue.metric_approximate_age_of_oldest_message() for queue in queues.by_model.values()],
            ),
            cloudwatch.GraphWidget(title="Function errors", left=[function.metric_errors() for function in functions]),
        )
