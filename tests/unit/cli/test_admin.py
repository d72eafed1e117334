"""`models`, `fleet`, `keys`, `webhooks`, `characters`, `drop`, `dead-letters`."""

import json
from pathlib import Path

import pytest

from jobs.fleet import FleetStore, Instance, Slot
from jobs.fleet_plan import FailureRecord, MarketPlan, PlanRecord, PlanStore, SpendRecord
from jobs.keys import KeyStore
from jobs.planner import FailureKind, HoldCode, Ledger
from jobs.queue import JobQueues
from lambdas.drop_folder.handler import handler as drop_folder
from tests.unit.cli.conftest import Cli
from tests.unit.cli.studio import Context, Studio
from tests.unit.jobs.cloud import BUCKET, PREFIX, TABLE
from tests.unit.jobs.made import queued


def ctrl_c(_seconds: float) -> None:
    raise KeyboardInterrupt


def test_given_models_when_listed_then_each_says_whether_it_runs_and_one_says_all(cli: Cli, studio: Studio) -> None:
    assert "wan-mini" in cli("models").out
    spec = cli("models", "wan-mini", "--json").json
    assert (spec["id"], spec["default_size"]) == ("wan-mini", "128x128")
    assert "128x128" in cli("models", "wan-mini").out
    missing = cli("models", "nope")
    assert missing.code == 3
    assert "Next: revalida models" in missing.err


def test_given_an_idle_deployment_when_the_fleet_is_asked_then_it_costs_nothing_and_later_slots_show(
    cli: Cli, studio: Studio
) -> None:
    assert "costs nothing" in cli("fleet").out

    video = cli("submit", "a red circle", "--model", "wan-mini", "--json").json["id"]
    theirs = queued(owner="another")
    studio.store.create(theirs)
    for job in (video, theirs.id):
        studio.start(job)
    slots = tuple(Slot(name=job[-4:], loaded_model="wan-mini", job_id=job) for job in (video, theirs.id))
    FleetStore(TABLE).register(
        Instance(id="i-1", kind="local", state="busy", started_at=1.0, seen_at=9e9, usd_per_hour=1.5, slots=slots)
    )
    shown = cli("fleet").out
    assert "i-1" in shown
    assert video in shown
    assert "another owner's" in shown
    assert cli("fleet", "--json").json["instances"][0]["id"] == "i-1"
    FleetStore(TABLE).deregister("i-1")
    cli("delete", video, "--yes")
    studio.store.delete(theirs.id, owner="another")


def test_given_a_plan_that_is_held_back_when_the_fleet_is_asked_then_spend_and_reason_are_told(
    cli: Cli, studio: Studio
) -> None:
    market = MarketPlan(desired=1, instances=0, usd_per_hour=1.7)
    failure = FailureRecord(market="spot", kind=FailureKind.CAPACITY, at=9e9, message="no [g5] left")
    limits = {"max_usd_per_month": 1500.0, "max_usd_per_hour": 10.0}
    spend = SpendRecord(month="2026-11", month_usd=12.5, usd_per_hour=1.7, stopped=False, **limits)
    plan = PlanRecord(
        at=9e9,
        spot=market,
        on_demand=market,
        holds=(HoldCode.NO_CAPACITY,),
        failures=(failure,),
        spend=spend,
        ledger=Ledger(month="2026-11", usd=12.5, at_s=9e9),
    )
    PlanStore(TABLE).put(plan)

    shown = " ".join(cli("fleet").out.split())

    assert "US$ 1.70 an hour now of US$ 10.00, US$ 12.50 in 2026-11 of US$ 1,500.00" in shown
    assert "Held back by: no capacity" in shown
    assert "Launches fail (spot, capacity): no [g5] left" in shown


def test_given_a_key_when_made_then_it_is_shown_once_and_works_until_revoked(cli: Cli, studio: Studio) -> None:
    made = cli("keys", "create", "render script", "--scope", "read", "--monthly-budget-usd", "5", "--json").json

    listed = cli("keys", "list")
    assert made["id"] in listed.out
    assert made["key"] not in listed.out
    assert "monthly budget usd 5" in listed.out
    with_it = ("--api-key", made["key"], "--api-base", f"{studio.address}/v1")
    assert cli("list", *with_it).code == 0
    refused = cli("submit", "a red circle", *with_it)
    assert refused.code == 4
    assert "scope" in refused.err

    assert cli("keys", "update", made["id"], "--max-daily-jobs", "3", "--json").json["limits"] == {
        "requests_per_minute": None, "max_concurrent_jobs": None, "max_daily_jobs": 3, "monthly_budget_usd": 5.0,
    }  # fmt: skip
    assert "0 today" in cli("keys", "show", made["id"]).out
    assert cli("keys", "revoke", made["id"]).code == 0
    assert cli("list", *with_it).code == 4
    assert "/v1/keys" in cli("keys", "audit", cli("keys", "list", "--json").json["data"][0]["id"]).out


def test_given_limits_when_reached_then_code_6(cli: Cli, studio: Studio) -> None:
    made = cli("keys", "create", "small", "--max-daily-jobs", "1", "--json").json
    with_it = ("--api-key", made["key"], "--api-base", f"{studio.address}/v1", "--model", "wan-mini")

    assert cli("submit", "a red circle", *with_it).code == 0
    ended = cli("submit", "a blue circle", *with_it)

    assert (ended.code, ended.err.count("\n")) == (6, 1)


def test_given_operator_when_the_first_key_is_made_then_it_needs_no_key(
    cli: Cli, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REVALIDA_API_KEY")
    monkeypatch.setenv("REVALIDA_TABLE", TABLE)

    made = cli("keys", "create", "first", "--operator", "--owner", "acme", "--scope", "admin", "--json").json

    found = KeyStore(TABLE).find(made["key"])
    assert found is not None
    assert (found.owner, [scope.value for scope in found.scopes]) == ("acme", ["admin"])
    assert cli("keys", "create", "x", "--operator", "--owner", "no/name").code == 2


def test_given_no_deployment_named_when_an_operator_s_command_runs_then_the_variable_is_named(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REVALIDA_MEDIA_BUCKET", "REVALIDA_STACK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "a.txt").write_text("a red circle")

    ended = cli("drop", "a.txt")

    assert ended.code == 2
    assert "REVALIDA_MEDIA_BUCKET" in ended.err


def test_given_a_webhook_when_made_then_it_lives_until_deleted(
    cli: Cli, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.api.webhooks.check_url", lambda url: None)  # no name can be looked up here

    made = cli("webhooks", "create", "https://example.com/hook", "--event", "video.failed", "--json").json
    assert made["signing_secret"].startswith("whsec_")
    listed = cli("webhooks", "list")
    assert made["id"] in listed.out
    assert made["signing_secret"] not in listed.out
    assert "disabled" in cli("webhooks", "update", made["id"], "--disable").out
    assert "is enabled" in cli("webhooks", "update", made["id"], "--enable").out
    assert "whsec_" in cli("webhooks", "rotate-secret", made["id"]).out
    assert made["id"] in cli("webhooks", "show", made["id"]).out
    assert "video.completed" in cli("webhooks", "events").out
    assert cli("webhooks", "delete", made["id"]).code == 0
    assert cli("webhooks", "show", made["id"]).code == 3


def test_given_an_unknown_event_when_a_webhook_is_made_then_code_5(cli: Cli, studio: Studio) -> None:
    assert cli("webhooks", "create", "https://example.com/hook", "--event", "video.nope").code == 5


def test_given_a_file_when_dropped_with_wait_then_its_receipt_is_shown(
    cli: Cli, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_MEDIA_BUCKET", BUCKET)
    (tmp_path / "p.jsonl").write_text('{"prompt": "a red circle"}\n{"prompt": "x", "seed": -1}\n')
    plain = cli("drop", "p.jsonl", "--folder", "may", "--json").json["data"][0]
    assert plain["key"] == "inbox/may/p.jsonl"

    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": BUCKET},
            "object": {"key": plain["key"], "size": 9, "etag": plain["etag"]},
        },
    }
    drop_folder(event, Context())  # type: ignore[arg-type]
    ended = cli("drop", "p.jsonl", "--folder", "may", "--wait", "--json")  # the same bytes: the same receipt

    assert ended.code == 5
    assert [entry["status"] for entry in ended.json["data"][0]["entries"]] == ["accepted", "rejected"]
    assert cli("drop", "p.jsonl", "--wait", "--timeout", "0").code == 8
    monkeypatch.setattr("cli.drop.time.sleep", ctrl_c)
    left = cli("drop", "p.jsonl", "--wait")
    assert left.code == 130
    assert "Look later at s3://" in left.err
    assert cli("drop", "p.jsonl", "--folder", "../outbox").code == 2


def test_given_two_files_of_one_name_when_dropped_then_neither_is(
    cli: Cli, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_MEDIA_BUCKET", BUCKET)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.txt").write_text("a red circle")

    ended = cli("drop", "a/p.txt", "b/p.txt")

    assert (ended.code, studio.cloud.object_keys("inbox/p.txt")) == (2, [])
    assert "p.txt is there 2 times" in ended.err


def test_given_a_job_that_killed_its_workers_when_redriven_then_it_is_queued_again(
    cli: Cli, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVALIDA_TABLE", TABLE)
    monkeypatch.setenv("REVALIDA_QUEUE_PREFIX", PREFIX)
    assert "There are none" in cli("dead-letters", "list").out
    video_id = cli("submit", "a red circle", "--model", "wan-mini", "--json").json["id"]
    for _ in range(3):
        studio.store.record_crash(video_id, studio.start(video_id), reason="the worker died")
    queues = JobQueues(PREFIX)
    queues.client.send_message(
        QueueUrl=queues.dead_letters_url, MessageBody=json.dumps({"version": "1", "job_id": video_id})
    )

    assert video_id in cli("dead-letters", "list").out
    assert "the worker died" in cli("dead-letters", "show", video_id).out
    assert cli("dead-letters", "redrive", video_id).code == 0
    assert studio.store.get(video_id).status == "queued"
    assert cli("dead-letters", "discard", video_id).code == 3
