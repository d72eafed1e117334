"""API keys: what they may do, what they may spend, and who can see what was done by them."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobs import clock
from jobs.errors import RequestError
from jobs.job import Estimate, Job, Redrive, Source
from jobs.key_commands import main
from jobs.keys import Scope
from jobs.limits import LimitReached, Limits, actual_musd, month_of
from jobs.states import State
from jobs.transitions import MAX_CRASHES, cancel, cancelled, claim
from lambdas import services
from lambdas.api.auth import scope_of
from lambdas.publisher.handler import handler as publisher
from lambdas.sweeper.handler import STREAM_GRACE_S
from lambdas.sweeper.handler import handler as sweeper
from tests.unit.jobs.cloud import TABLE, Cloud
from tests.unit.jobs.made import T0, outputs, queued
from tests.unit.lambdas.conftest import Answer, Api
from tests.unit.lambdas.test_event_functions import record

GOOD: dict[str, Any] = {"model": "wan-mini", "prompt": "a red circle"}
EVERY = tuple(Scope)
MADE_FROM = ("edits", "extensions", "characters")


def api_with(*scopes: Scope, owner: str = "default", **limits: Any) -> Api:
    return Api(services.keys().create(owner=owner, name="k", scopes=scopes or EVERY, limits=Limits(**limits)))


def key_id_of(api: Api) -> str:
    found = services.keys().find(api.key or "")
    assert found is not None
    return found.id


def error_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


@pytest.fixture
def priced(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet whose price is known: a video is estimated at 2 cents."""
    estimate = Estimate(slot="A10Gx1", seconds=40.0, load_s=1.0, cost_usd=0.02)
    services.submitter()
    monkeypatch.setattr("jobs.admission.Admission.__call__", lambda self, request: estimate)


CALLS = [
    ("POST", "/v1/videos", "submit"),
    ("POST", "/v1/videos/estimate", "read"),
    ("GET", "/v1/videos", "read"),
    ("GET", "/v1/models", "read"),
    ("DELETE", "/v1/videos/video_01KAVZ3D7Q8YB5N2M4T6W9XECR", "submit"),
    ("POST", "/v1/videos/video_01KAVZ3D7Q8YB5N2M4T6W9XECR/cancel", "submit"),
    ("GET", "/v1/keys", "admin"),
    ("POST", "/v1/keys", "admin"),
    ("GET", "/v1/webhooks", "admin"),
    ("GET", "/v1/webhook_endpoints", "admin"),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_given_a_key_without_the_scope_then_a_403_that_names_it(
    cloud: Cloud, method: str, path: str, scope: str
) -> None:
    others = [each for each in Scope if each != scope]

    answer = api_with(*others)(method, path, json_body=GOOD if method == "POST" else None)

    assert error_of(answer) == (403, "insufficient_scope")
    assert f"'{scope}'" in answer.body["error"]["message"]
    assert api_with(Scope(scope))(method, path).status != 403
    assert scope_of(method, path) == scope


def test_given_a_new_key_then_it_is_shown_once_and_stored_nowhere(cloud: Cloud) -> None:
    admin = api_with()
    made = admin("POST", "/v1/keys", json_body={"name": "render", "scopes": ["read"], "limits": {"max_daily_jobs": 3}})
    key = made.body["key"]

    shown = admin("GET", f"/v1/keys/{made.body['id']}").body

    assert (shown["scopes"], shown["limits"]["max_daily_jobs"], shown["owner"]) == (["read"], 3, "default")
    assert Api(key)("GET", "/v1/videos").status == 200
    assert key not in json.dumps(cloud.dynamodb.scan(TableName=TABLE)["Items"])
    assert "key" not in shown


def test_given_a_revoked_key_then_the_next_call_fails_and_an_update_does_not_revive_it(cloud: Cloud) -> None:
    admin = api_with()
    made = admin("POST", "/v1/keys", json_body={"name": "render"}).body

    assert admin("DELETE", f"/v1/keys/{made['id']}").body["revoked_at"] is not None
    admin("POST", f"/v1/keys/{made['id']}", json_body={"name": "again", "limits": {}})

    assert Api(made["key"])("GET", "/v1/videos").status == 401


def test_given_another_tenants_key_then_it_is_not_there(cloud: Cloud) -> None:
    mine, other = api_with(), api_with(owner="other")
    path = f"/v1/keys/{key_id_of(mine)}"

    for method, suffix in [("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/audit")]:
        assert error_of(other(method, path + suffix)) == (404, "key_not_found")
    assert [key["owner"] for key in other("GET", "/v1/keys").body["data"]] == ["other"]


@pytest.mark.parametrize("owner", ["", "a#b", "a/b", "x" * 65, "a\nb", "é"])
def test_given_an_owner_that_is_no_plain_name_then_there_is_no_key(cloud: Cloud, owner: str) -> None:
    with pytest.raises(ValueError, match="owner"):
        services.keys().create(owner=owner, name="x")


def test_given_a_rate_limit_then_a_429_says_when_to_come_again_and_other_keys_go_on(cloud: Cloud) -> None:
    api = api_with(requests_per_minute=3)
    services.usage().now = lambda: T0 + 20

    answers = [api("GET", "/v1/videos") for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[3].headers["retry-after"] == str(60 - int(T0 + 20) % 60)
    assert api_with()("GET", "/v1/videos").status == 200
    services.usage().now = lambda: T0 + 81
    assert api("GET", "/v1/videos").status == 200


def complete(job_id: str, *, cost_usd: float) -> tuple[Job, Job]:
    """What an agent does with it: the record before the end, and after."""
    store = services.store()
    running = store.claim(job_id, instance_id="i", slot="0", lease_s=60)
    done = store.complete(job_id, 1, outputs=outputs(running), seconds_by_phase={}, cost_usd=cost_usd)
    return running, done


def end(job_id: str, context: Any, *, cost_usd: float = 0.03) -> None:
    """The job is made; the table's stream tells the publisher, twice."""
    running, done = complete(job_id, cost_usd=cost_usd)
    for _ in range(2):
        publisher({"Records": [record(running, done)]}, context)


def test_given_a_limit_of_jobs_at_once_then_the_next_waits_for_an_end(cloud: Cloud, context: Any) -> None:
    api = api_with(max_concurrent_jobs=2)
    first = api("POST", "/v1/videos", json_body=GOOD).body["id"]
    api("POST", "/v1/videos", json_body=GOOD)

    refused = api("POST", "/v1/videos", json_body=GOOD)

    assert error_of(refused) == (429, "max_concurrent_jobs_reached")
    assert "2 videos under way" in refused.body["error"]["message"]
    assert len(cloud.messages()) == 2
    end(first, context)
    assert api("POST", "/v1/videos", json_body=GOOD).status == 200
    assert api("POST", "/v1/videos", json_body=GOOD).status == 429


KEY, REPEAT = {"idempotency-key": "one"}, {"x-stainless-retry-count": "1"}
VIDEO = "/v1/videos/video_01KAVZ3D7Q8YB5N2M4T6W9XECR"


@pytest.mark.parametrize("path", ["/v1/videos", f"{VIDEO}/remix", *(f"/v1/videos/{what}" for what in MADE_FROM)])
@pytest.mark.parametrize(("headers", "repeated"), [({}, False), (KEY, True), (REPEAT, True)])
def test_given_a_limit_when_a_call_that_makes_something_has_no_key_then_the_sdk_is_told_not_to_repeat_it(
    cloud: Cloud, path: str, headers: dict[str, str], repeated: bool
) -> None:
    """Its repeat would be answered with what another call, the same to the letter, has made. A repeat may be one of a
    call that was accepted: it goes on."""
    api = api_with(requests_per_minute=1)
    services.usage().now = lambda: T0 + 20  # 20 seconds are worth waiting
    api("GET", "/v1/videos")

    refused = api("POST", path, json_body=GOOD, headers=headers)

    assert error_of(refused) == (429, "requests_per_minute_reached")
    assert refused.headers.get("x-should-retry") == (None if repeated else "false")


@pytest.mark.parametrize("path", ["/v1/videos/estimate", f"{VIDEO}/cancel", "/v1/uploads"])
def test_given_a_limit_when_a_call_makes_nothing_that_is_remembered_then_the_sdk_may_repeat_it(
    cloud: Cloud, path: str
) -> None:
    api = api_with(requests_per_minute=1)
    services.usage().now = lambda: T0 + 20
    api("GET", "/v1/videos")

    assert "x-should-retry" not in api("POST", path, json_body=GOOD).headers


def test_given_a_daily_limit_then_a_429_until_midnight_that_the_sdk_does_not_retry(cloud: Cloud) -> None:
    api = api_with(max_daily_jobs=1)
    api("POST", "/v1/videos", json_body=GOOD)

    refused = api("POST", "/v1/videos", json_body=GOOD)

    assert error_of(refused) == (429, "max_daily_jobs_reached")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert refused.headers.get("x-should-retry", "false") == "false"


def test_given_a_budget_then_the_estimate_is_reserved_the_cost_settled_and_over_it_a_402_with_numbers(
    cloud: Cloud, priced: None, context: Any
) -> None:
    api = api_with(monthly_budget_usd=0.05)
    first, _ = (api("POST", "/v1/videos", json_body=GOOD).body["id"] for _ in range(2))
    account = f"/v1/keys/{key_id_of(api)}"
    assert api("GET", account).body["usage"]["reserved_usd"] == pytest.approx(0.04)

    refused = api("POST", "/v1/videos", json_body=GOOD)

    assert error_of(refused) == (402, "insufficient_quota")
    for number in ("0.0200", "0.05", "0.0400"):
        assert number in refused.body["error"]["message"]
    end(first, context, cost_usd=0.01)
    usage = api("GET", account).body["usage"]
    assert (usage["spent_usd"], usage["reserved_usd"], usage["active_jobs"]) == (0.01, 0.02, 1)
    assert api("POST", "/v1/videos", json_body=GOOD).status == 200
    assert api("POST", "/v1/videos", json_body=GOOD).status == 402


def test_given_a_video_that_costs_more_than_the_whole_budget_then_a_402(cloud: Cloud, priced: None) -> None:
    api = api_with(monthly_budget_usd=0.01)

    assert api("POST", "/v1/videos", json_body=GOOD).status == 402
    assert cloud.messages() == []


def test_given_a_deleted_job_then_its_reservation_comes_back(cloud: Cloud, priced: None, context: Any) -> None:
    api = api_with(monthly_budget_usd=0.02)
    job = services.store().get(api("POST", "/v1/videos", json_body=GOOD).body["id"])
    api("DELETE", f"/v1/videos/{job.id}")

    publisher({"Records": [record(job, None), record(job, None)]}, context)

    usage = api("GET", f"/v1/keys/{key_id_of(api)}").body["usage"]
    assert (usage["reserved_usd"], usage["spent_usd"], usage["active_jobs"]) == (0.0, 0.0, 0)


@pytest.mark.parametrize("fate", ["completed", "deleted"])
def test_given_an_end_that_the_stream_never_told_of_then_the_sweeper_settles_it_once(
    cloud: Cloud, priced: None, context: Any, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    api = api_with(monthly_budget_usd=0.05)
    ended, waiting = (api("POST", "/v1/videos", json_body=GOOD).body["id"] for _ in range(2))
    assert sweeper({}, context)["settled"] == 0
    if fate == "completed":
        complete(ended, cost_usd=0.01)
    else:
        services.store().delete(ended, owner="default")  # and the function died before it could settle

    later = clock.now() + STREAM_GRACE_S
    monkeypatch.setattr(clock, "now", lambda: later)

    assert [sweeper({}, context)["settled"] for _ in range(2)] == [1, 0]
    usage = api("GET", f"/v1/keys/{key_id_of(api)}").body["usage"]
    spent = 0.01 if fate == "completed" else 0.0
    assert (usage["spent_usd"], usage["reserved_usd"], usage["active_jobs"]) == (spent, 0.02, 1)
    end(waiting, context, cost_usd=0.03)
    assert api("GET", f"/v1/keys/{key_id_of(api)}").body["usage"]["active_jobs"] == 0


def crash_to_death(job_id: str, context: Any) -> None:
    """It kills its workers until it is given up; the stream tells of its end twice."""
    store = services.store()
    for number in range(1, MAX_CRASHES + 1):
        running = store.claim(job_id, instance_id="i", slot="0", lease_s=60)
        after = store.record_crash(job_id, number, reason="signal 9")
    for _ in range(2):
        publisher({"Records": [record(running, after)]}, context)


def test_given_a_failed_job_when_redriven_then_its_video_is_charged_once_and_no_reservation_is_given_back_again(
    cloud: Cloud, priced: None, context: Any
) -> None:
    api = api_with(monthly_budget_usd=0.05)
    dead, _waiting = (api("POST", "/v1/videos", json_body=GOOD).body["id"] for _ in range(2))
    account = f"/v1/keys/{key_id_of(api)}"
    crash_to_death(dead, context)
    services.store().redrive(dead)

    running = services.store().claim(dead, instance_id="i", slot="0", lease_s=60)
    made = outputs(running, running.attempt)
    done = services.store().complete(dead, running.attempt, outputs=made, seconds_by_phase={}, cost_usd=0.03)
    for _ in range(2):
        publisher({"Records": [record(running, done)]}, context)

    usage = api("GET", account).body["usage"]
    assert (usage["spent_usd"], usage["reserved_usd"], usage["active_jobs"]) == (0.03, 0.02, 1)


def test_given_a_redriven_job_when_completed_then_what_its_failure_had_cost_is_not_charged() -> None:
    done = queued(status=State.COMPLETED, cost_usd=0.8, redrive=Redrive(at=T0, after_attempt=3, cost_usd=0.3))

    assert actual_musd(done) == 500_000


def test_given_a_key_without_limits_then_its_spending_is_known_all_the_same(
    cloud: Cloud, priced: None, context: Any
) -> None:
    api = api_with()
    end(api("POST", "/v1/videos", json_body=GOOD).body["id"], context, cost_usd=0.5)

    assert api("GET", f"/v1/keys/{key_id_of(api)}").body["usage"]["spent_usd"] == 0.5


def test_given_ended_jobs_then_only_work_that_the_caller_wanted_is_charged() -> None:
    estimate = Estimate(slot="A10Gx1", seconds=100.0, load_s=0.0, cost_usd=0.10)
    job = queued(estimate=estimate)
    running = claim(job, instance_id="i", slot="0", lease_s=60, now=T0)
    asked = cancel(running, now=T0 + 30)

    def stopped(at: float) -> Job:
        return cancelled(asked, 1, now=at)

    assert actual_musd(stopped(T0 + 50)) == 50_000
    assert actual_musd(stopped(T0 + 5_000)) == 100_000
    assert actual_musd(cancel(job, now=T0 + 50)) == 0
    assert actual_musd(running.model_copy(update={"status": State.FAILED})) == 0
    assert actual_musd(running.model_copy(update={"status": State.COMPLETED, "cost_usd": 0.2})) == 200_000


def test_given_many_at_once_then_a_limit_holds_to_the_last_place(cloud: Cloud) -> None:
    api = api_with(max_concurrent_jobs=5)
    payer = services.keys().find(api.key or "")

    def submit(_: int) -> bool:
        try:
            services.submitter().submit(GOOD, owner="default", source=Source(door="api"), payer=payer)
        except LimitReached:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(submit, range(24)))

    assert sum(accepted) == 5
    assert len(cloud.messages()) == 5


def test_given_fifty_identical_submissions_at_once_then_one_job(cloud: Cloud) -> None:
    payer = services.keys().find(api_with(max_concurrent_jobs=50, monthly_budget_usd=10).key or "")

    def submit(_: int) -> str:
        try:
            return (
                services.submitter()
                .submit(GOOD, owner="default", source=Source(door="api"), idempotency_key="one", payer=payer)
                .id
            )
        except RequestError as busy:
            return busy.code

    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(submit, range(50)))

    assert len(ids) == 1
    assert len(cloud.messages()) == 1
    assert payer is not None
    assert services.usage().usage(payer.id).active_jobs == 1


def test_given_what_a_key_did_then_its_owner_reads_it_and_the_key_is_not_in_it(cloud: Cloud) -> None:
    api = api_with(Scope.SUBMIT)
    admin = api_with()
    video = api("POST", "/v1/videos", json_body=GOOD).body["id"]
    api("POST", f"/v1/videos/{video}/cancel")
    api("POST", "/v1/videos", json_body={"prompt": ""})
    api("GET", "/v1/videos")

    trail = admin("GET", f"/v1/keys/{key_id_of(api)}/audit").body["data"]

    shown = [(entry["method"], entry["path"], entry["status"], entry["resource"]) for entry in reversed(trail)]
    assert shown == [
        ("POST", "/v1/videos", 200, video),
        ("POST", f"/v1/videos/{video}/cancel", 200, video),
        ("POST", "/v1/videos", 400, None),
        ("GET", "/v1/videos", 403, None),
    ]
    assert trail[0]["code"] == "insufficient_scope"
    assert (api.key or "") not in json.dumps(trail)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "x", "scopes": ["root"]}, "scopes[0]"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "limits": {"monthly_budget_usd": -1}}, "limits.monthly_budget_usd"),
        ({"name": "x", "owner": "other"}, "owner"),
    ],
)
def test_given_a_key_that_cannot_be_then_a_400_naming_the_field(cloud: Cloud, body: Any, param: str) -> None:
    answer = api_with()("POST", "/v1/keys", json_body=body)

    assert (answer.status, answer.body["error"]["param"]) == (400, param)


def test_given_the_operators_commands_then_a_key_is_made_listed_and_revoked(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["create", "--owner", "acme", "--name", "x", "--scope", "read", "--monthly-budget-usd", "5"]) == 0
    key = capsys.readouterr().out.strip()
    assert main(["list", "--owner", "acme"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["scopes"], shown["limits"]["monthly_budget_usd"]) == (["read"], 5.0)
    assert shown["usage"]["month"] == month_of(clock.now())

    assert main(["revoke", "--owner", "acme", "--id", shown["id"]]) == 0
    assert main(["revoke", "--owner", "other", "--id", shown["id"]]) == 1
    assert Api(key)("GET", "/v1/videos").status == 401
    assert main(["audit", "--owner", "acme", "--id", shown["id"]]) == 0
