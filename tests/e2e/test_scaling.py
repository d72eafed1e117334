"""The fleet's size follows the work: from zero at a submit, to zero after idling, and not past the month's limit."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import httpx

from lambdas.planner.turn import SPACING_S
from tests.e2e.studio import Studio, wait_until

IDLE_TIMEOUT_S = 240.0  # the local idle limit is a minute, and another test's work may come before it
JOBS_AT_ONCE = 20


def fleet(studio: Studio) -> dict[str, Any]:
    answer = httpx.get(f"{studio.api_base}/fleet", headers={"Authorization": f"Bearer {studio.api_key}"}, timeout=30)
    answer.raise_for_status()
    shown: dict[str, Any] = answer.json()
    return shown


def desired(studio: Studio) -> int:
    groups = studio.aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[studio.stack["asg_name"]])
    return int(groups["AutoScalingGroups"][0]["DesiredCapacity"])


def create(studio: Studio, prompt: str) -> Any:
    return studio.openai().videos.create(model="wan-mini", prompt=prompt, size="128x128", seconds="1")


def wait_for_zero(studio: Studio) -> None:
    wait_until(
        lambda: desired(studio) == 0 and not fleet(studio)["instances"] and fleet(studio)["plan"],
        timeout_s=IDLE_TIMEOUT_S,
        what=lambda: f"the fleet to end itself: {desired(studio)} wanted, {fleet(studio)['instances']}",
    )


def spend(studio: Studio, month_usd: float, *, stopped: bool) -> None:
    """Write what the month has cost into the planner's ledger, until the API tells the consequence."""

    def told() -> bool:
        studio.aws("dynamodb").update_item(
            TableName=studio.stack["table"],
            Key={"pk": {"S": "FLEET"}, "sk": {"S": "PLAN"}},
            UpdateExpression="SET ledger.#usd = :usd",
            ExpressionAttributeNames={"#usd": "usd"},
            ExpressionAttributeValues={":usd": {"N": str(Decimal(str(month_usd)))}},
        )
        studio.aws("lambda").invoke(FunctionName="revalida-planner", Payload=b"{}")
        return bool(fleet(studio)["plan"]["spend"]["stopped"]) is stopped

    wait_until(told, what=f"the API to say stopped={stopped}")


def planner_runs(studio: Studio) -> int:
    logs = studio.aws("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/revalida-planner")
    return sum(event["message"].startswith("START RequestId") for page in pages for event in page["events"])


def test_given_an_empty_fleet_then_a_submit_raises_it_and_idling_ends_it(studio: Studio) -> None:
    wait_for_zero(studio)

    video = create(studio, "a red circle")

    wait_until(lambda: desired(studio) == 1, what="the planner to raise the group from zero")
    client = studio.openai()
    wait_until(lambda: client.videos.retrieve(video.id).status == "completed", what="the video")
    wait_for_zero(studio)


def test_given_the_months_limit_then_nothing_is_launched_until_there_is_money_again(studio: Studio) -> None:
    wait_for_zero(studio)
    limit_usd = fleet(studio)["plan"]["spend"]["max_usd_per_month"]
    spend(studio, limit_usd, stopped=True)
    runs_before = planner_runs(studio)

    began_s = time.monotonic()
    with ThreadPoolExecutor(JOBS_AT_ONCE) as producers:
        prompts = [f"a green star, number {number}" for number in range(JOBS_AT_ONCE)]
        videos = list(producers.map(partial(create, studio), prompts))

    wait_until(lambda: planner_runs(studio) > runs_before, what="the planner to hear of the jobs")
    client = studio.openai()

    def held() -> Any:
        plan = fleet(studio)["plan"]  # a run that has started writes it in the end
        return plan if "max_usd_per_month" in plan["holds"] else None

    told = wait_until(held, what=lambda: f"the plan to name what holds it: {fleet(studio)['plan']}")
    assert (desired(studio), told["spend"]["stopped"]) == (0, True)
    assert {client.videos.retrieve(video.id).status for video in videos} == {"queued"}
    # Jobs that come together are a few runs' work, two at a time, and the minute's tick; not a run for each job.
    took_s = time.monotonic() - began_s
    assert planner_runs(studio) - runs_before <= 2 * (took_s / SPACING_S + 1) + took_s / 60 + 1
    for video in videos[1:]:
        client.videos.delete(video.id)
    spend(studio, 0.0, stopped=False)
    wait_until(lambda: client.videos.retrieve(videos[0].id).status == "completed", what="the video")
