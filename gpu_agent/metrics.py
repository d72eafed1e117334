"""CloudWatch metrics in the Embedded Metric Format: lines on standard output that the log agent turns into metrics."""

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from gpu_agent.logs import logger

NAMESPACE = "Revalida/Agent"  # the instance role may write to Revalida/* alone


def count(name: str, value: float = 1.0, **dimensions: str) -> None:
    """Count an event, for example `JobFailed` with the dimension `Reason`."""
    _write(name, MetricUnit.Count, value, dimensions)


def seconds(name: str, value_s: float, **dimensions: str) -> None:
    """A duration in seconds."""
    _write(name, MetricUnit.Seconds, value_s, dimensions)


def size_bytes(name: str, value: float, **dimensions: str) -> None:
    """A size in bytes."""
    _write(name, MetricUnit.Bytes, value, dimensions)


def share(name: str, value: float, **dimensions: str) -> None:
    """A share between 0 and 1, reported in per cent."""
    _write(name, MetricUnit.Percent, 100.0 * value, dimensions)


def _write(name: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    # Logs go to the same stream: a line of both would be neither a metric nor a log to CloudWatch.
    handler = logger.registered_handler
    handler.acquire()
    try:
        with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
            metric.add_dimension(name="Service", value="gpu_agent")
            for key, text in dimensions.items():
                metric.add_dimension(name=key, value=text)
    finally:
        handler.release()
