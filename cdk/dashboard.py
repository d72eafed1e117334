"""The dashboard: what an operator looks at first, from the wait of the producers to the money."""

from collections.abc import Iterable, Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.metrics import each, gpu, of_service
from cdk.queues import JobQueues


class Dashboard(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        functions: Iterable[lambda_.Function],
        queues: JobQueues,
        failures: sqs.Queue,
        max_usd_per_month: float,
    ) -> None:
        super().__init__(scope, construct_id)
        self._failures, self._queues = failures, queues
        board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=name)
        board.add_widgets(*self._waiting())
        board.add_widgets(*_videos())
        board.add_widgets(*_machines())
        board.add_widgets(*_money(max_usd_per_month))
        board.add_widgets(*self._trouble(functions))

    def _waiting(self) -> list[cloudwatch.IWidget]:
        return [
            _graph("Age of the oldest job, by model (s)", [each("OldestWaitS", "model", "Maximum")]),
            _graph("Jobs", [of_service("planner", name, "Maximum") for name in ("JobsWaiting", "JobsRunning")]),
            _graph("Jobs stalled", [of_service("planner", "StalledJobs", "Maximum")]),
        ]

    def _trouble(self, functions: Iterable[lambda_.Function]) -> list[cloudwatch.IWidget]:
        letters = [
            queue.metric_approximate_number_of_messages_visible(statistic="Maximum")
            for queue in (self._queues.dead_letters, self._failures)
        ]
        return [
            _graph("Failures by reason", [each("JobsFailed", "reason", "Sum")]),
            _graph("Dead letters", letters),
            _graph("Function errors", [function.metric_errors() for function in functions]),
            _graph("Swept", [each("Swept", "what", "Sum")]),
        ]


def _videos() -> list[cloudwatch.IWidget]:
    """No video is shown before all of it is made: its first frame comes with the file."""
    times = ("TimeToStart", "TimeToVideo")
    return [
        _graph(
            "Time to start, and to the first frame (s)",
            [of_service("publisher", name, statistic) for name in times for statistic in ("p50", "p95")],
        ),
        _graph("Time to the first frame, by model (s)", [each("TimeToVideo", "model", "Average")]),
        _graph("Videos", [of_service("publisher", "VideosCompleted", "Sum")]),
    ]


def _machines() -> list[cloudwatch.IWidget]:
    instances = [of_service("planner", name, "Maximum") for name in ("Instances", "SilentInstances")]
    lost = [of_service("publisher", name, "Sum") for name in ("Interruptions", "StepsLost")]
    return [
        _graph("Instances", instances),
        _graph("Busy (%)", [of_service("planner", "BusyShare", "Average"), gpu("utilization_gpu", "Average")]),
        _graph("GPU memory (MiB)", [gpu("memory_used", "Maximum")]),
        _graph("Interruptions, and steps lost", lost),
    ]


def _money(max_usd_per_month: float) -> list[cloudwatch.IWidget]:
    limit = cloudwatch.HorizontalAnnotation(value=max_usd_per_month, label="limit", color=cloudwatch.Color.RED)
    return [
        _graph("Cost per video, by model (US$)", [each("CostPerVideoUsd", "model", "Average")]),
        _graph("Spent this month (US$)", [of_service("planner", "MonthUsd", "Maximum")], limit),
        _graph("US$ an hour", [of_service("planner", "UsdPerHour", "Maximum")]),
    ]


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], *annotations: cloudwatch.HorizontalAnnotation
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), left_annotations=list(annotations), width=6)
