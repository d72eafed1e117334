"""The studio's own metrics, as the functions and the instances write them: one place for their names."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

NAMESPACE = "Revalida"
GPU_NAMESPACE = "Revalida/Gpu"
FIVE_MINUTES = Duration.minutes(5)


def of_service(
    service: str, name: str, statistic: str, period: Duration = FIVE_MINUTES, **dimensions: str
) -> cloudwatch.Metric:
    """A metric of one of our functions (`planner`, `publisher`, `sweeper`)."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": service, **dimensions},
        statistic=statistic,
        period=period,
    )


def gpu(name: str, statistic: str) -> cloudwatch.Metric:
    """Over all GPUs of all instances, as cdk/boot/boot.sh has the CloudWatch agent add them up."""
    return cloudwatch.Metric(
        namespace=GPU_NAMESPACE, metric_name=f"nvidia_smi_{name}", statistic=statistic, period=FIVE_MINUTES
    )


def each(name: str, dimension: str, statistic: str) -> cloudwatch.MathExpression:
    """One line for each value that a dimension has had: new models and reasons appear by themselves."""
    search = f"SEARCH('{{{NAMESPACE},service,{dimension}}} MetricName=\"{name}\"', '{statistic}', 300)"
    return cloudwatch.MathExpression(expression=search, using_metrics={}, label="", period=FIVE_MINUTES)
