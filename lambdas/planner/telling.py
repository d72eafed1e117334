"""The planner's metrics: what alarms and dashboard read, from the table and not from approximate queue counts."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from jobs.sweeping import stalled
from lambdas.planner.look import Look
from lambdas.planner.record import Outcome

NAMESPACE = "Revalida"
metrics = Metrics(namespace=NAMESPACE)


def tell(seen: Look, run: Outcome) -> None:
    """One value each, every run; the age of the oldest waiting job for each model that has one."""
    figures = {
        "MonthUsd": run.ledger.usd,
        "UsdPerHour": run.rate,
        "SpendShare": 100.0 * run.ledger.usd / run.limits.max_usd_per_month,
        "SpendingStopped": float(run.plan.spending_stopped),
        "LaunchesFail": float(any(group.failure for group in (seen.spot, seen.on_demand))),
        "Instances": float(len(seen.spot.types) + len(seen.on_demand.types)),
        "SilentInstances": float(len(run.silent)),
        "JobsWaiting": float(len(seen.waiting)),
        "JobsRunning": float(len(seen.running)),
        "StalledJobs": float(len(stalled(seen.running, now=seen.now_s))),
    }
    slots = [slot for instance in seen.fleet for slot in instance.slots]
    if slots:
        figures["BusyShare"] = 100.0 * sum(slot.job_id is not None for slot in slots) / len(slots)
    for name, value in figures.items():
        metrics.add_metric(name=name, unit=MetricUnit.NoUnit, value=value)
    for model, wait_s in oldest_wait_s(seen).items():
        with single_metric(name="OldestWaitS", unit=MetricUnit.Seconds, value=wait_s, namespace=NAMESPACE) as metric:
            metric.add_dimension(name="service", value="planner")
            metric.add_dimension(name="model", value=model)


def oldest_wait_s(seen: Look) -> dict[str, float]:
    """Since acceptance or redrive: a job that was interrupted has waited all the while for its video."""
    ages: dict[str, float] = {}
    for job in seen.waiting:
        ages[job.model] = max(ages.get(job.model, 0.0), seen.now_s - job.waiting_since)
    return ages
