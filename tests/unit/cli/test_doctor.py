"""The doctor, with AWS's answers stubbed: each line ok, warning or failure, with the next step."""

import json
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from cli.doctor import account, command, deployment
from cli.doctor.finding import Finding, Status
from cli.doctor.wanted import Wanted, read
from cli.main import app

ROOT = Path(__file__).parents[3]
IDENTITY = {"Arn": "arn:aws:iam::123456789012:user/ana", "Account": "123456789012", "UserId": "A"}


@pytest.fixture
def wanted() -> Wanted:
    return read(ROOT / "cdk.json")


class Aws:
    """Clients whose answers are stubbed, checked against botocore's own model of each call."""

    def __init__(self, region: str = "us-east-2") -> None:
        self._region = region
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                region_name=self._region,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            self._stubs[service] = Stubber(self._clients[service])
            self._stubs[service].activate()
        return self._clients[service]

    def answers(self, service: str, call: str, answer: dict[str, Any], **expected: Any) -> None:
        self(service)
        self._stubs[service].add_response(call, answer, expected or None)

    def refuses(self, service: str, call: str, code: str, message: str = "no") -> None:
        self(service)
        self._stubs[service].add_client_error(call, code, message)

    def quota(self, code: str, vcpus: float) -> None:
        self.answers(
            "service-quotas", "get_service_quota", {"Quota": {"Value": vcpus}}, ServiceCode="ec2", QuotaCode=code
        )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return Aws()


def states(findings: list[Finding]) -> dict[str, str]:
    return {one.check: one.status.value for one in findings}


def given_a_group(aws: Aws) -> None:
    group = {
        "AutoScalingGroupName": "g", "MinSize": 0, "MaxSize": 2, "DesiredCapacity": 0, "DefaultCooldown": 1,
        "AvailabilityZones": [], "HealthCheckType": "EC2", "CreatedTime": 0, "VPCZoneIdentifier": "subnet-1,subnet-2",
        "MixedInstancesPolicy": {
            "LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "Version": "3"}}
        },
    }  # fmt: skip
    aws.answers("autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroups": [group]})


def test_given_the_settings_then_the_vcpus_that_they_may_launch(wanted: Wanted) -> None:
    assert (wanted.region, wanted.spot_vcpus, wanted.on_demand_vcpus) == ("us-east-2", 96, 48)


def test_given_a_new_accounts_quotas_then_failures_with_the_request_to_file(aws: Aws, wanted: Wanted) -> None:
    aws.quota("L-3819A6DF", 0.0)
    aws.quota("L-DB2E81BA", 48.0)

    spot, on_demand = account.quotas(aws, wanted)

    assert (spot.status, on_demand.status) == (Status.FAILURE, Status.OK)
    assert spot.found == "0 vCPUs, the settings use 96"
    assert "--quota-code L-3819A6DF --desired-value 96" in spot.next_step
    assert "request-service-quota-increase --region us-east-2" in spot.next_step


def test_given_no_right_to_read_quotas_then_a_warning_and_not_a_failure(aws: Aws, wanted: Wanted) -> None:
    for _ in range(2):
        aws.refuses("service-quotas", "get_service_quota", "AccessDeniedException", "not you")

    spot, on_demand = account.quotas(aws, wanted)

    assert (spot.status, on_demand.status) == (Status.WARNING, Status.WARNING)
    assert spot.found == "AccessDeniedException: not you"


def test_given_no_credentials_then_one_failure_and_nothing_else_is_asked(aws: Aws, wanted: Wanted) -> None:
    aws.refuses("sts", "get_caller_identity", "ExpiredToken", "too old")

    (only,) = command.examine(wanted, aws, httpx.Client())

    assert (only.check, only.status) == ("credentials", Status.FAILURE)
    assert "AWS_PROFILE" in only.next_step


def test_given_an_account_before_the_first_deploy_then_the_deployments_checks_are_left_out(
    aws: Aws, wanted: Wanted
) -> None:
    aws.answers("sts", "get_caller_identity", IDENTITY)
    aws.quota("L-3819A6DF", 96.0)
    aws.quota("L-DB2E81BA", 48.0)
    aws.refuses("ssm", "get_parameter", "ParameterNotFound")
    aws.refuses("cloudformation", "describe_stacks", "ValidationError", "Stack with id RevalidaVideo does not exist")

    found = list(command.examine(wanted, aws, httpx.Client()))

    assert states(found) == {
        "credentials": "ok",
        "region": "ok",
        "Spot quota L-3819A6DF": "ok",
        "on-demand quota L-DB2E81BA": "ok",
        "CDK bootstrap": "failure",
        "stack": "warning",
    }


def test_given_another_region_than_the_settings_then_a_warning(wanted: Wanted) -> None:
    found = account.region(Aws("sa-east-1"), wanted)

    assert found.status is Status.WARNING
    assert found.next_step == "export AWS_DEFAULT_REGION=us-east-2"


@pytest.mark.parametrize(("version", "status"), [("5", Status.WARNING), ("6", Status.OK), ("30", Status.OK)])
def test_given_a_bootstrap_then_its_version_decides(aws: Aws, wanted: Wanted, version: str, status: Status) -> None:
    aws.answers("ssm", "get_parameter", {"Parameter": {"Value": version}}, Name="/cdk-bootstrap/hnb659fds/version")

    assert account.bootstrap(aws, wanted).status is status


@pytest.mark.parametrize(
    ("code", "status"), [("DryRunOperation", Status.OK), ("UnauthorizedOperation", Status.FAILURE)]
)
def test_given_a_dry_run_then_ec2s_word(aws: Aws, code: str, status: Status) -> None:
    given_a_group(aws)
    aws.refuses("ec2", "run_instances", code)

    assert deployment.launch(aws, "g").status is status


def test_given_a_group_that_shows_no_template_then_a_failure_and_no_exception(aws: Aws) -> None:
    group = {
        "AutoScalingGroupName": "g", "MinSize": 0, "MaxSize": 2, "DesiredCapacity": 0, "DefaultCooldown": 1,
        "AvailabilityZones": [], "HealthCheckType": "EC2", "CreatedTime": 0,
    }  # fmt: skip
    aws.answers("autoscaling", "describe_auto_scaling_groups", {"AutoScalingGroups": [group]})

    found = deployment.launch(aws, "g")

    assert (found.status, found.found) == (Status.FAILURE, "g shows no launch template")


def test_given_a_group_then_the_dry_run_uses_its_template_and_first_subnet_and_launches_nothing(aws: Aws) -> None:
    given_a_group(aws)
    aws.answers(
        "ec2", "run_instances", {},
        LaunchTemplate={"LaunchTemplateId": "lt-1", "Version": "3"}, SubnetId="subnet-1", MinCount=1, MaxCount=1,
        DryRun=True,
    )  # fmt: skip

    assert deployment.launch(aws, "g").status is Status.WARNING


@pytest.mark.parametrize(("status_code", "status"), [(200, Status.OK), (503, Status.FAILURE)])
def test_given_api_and_console_then_each_answers_or_not(status_code: int, status: Status) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status_code)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    found = [deployment.api("https://x.example/", http), deployment.console("https://videos.example.com", http)]

    assert [one.status for one in found] == [status, status]
    assert asked == ["https://x.example/v1/openapi.json", "https://videos.example.com/"]


def test_given_a_failure_then_the_command_prints_it_and_its_exit_code_is_one(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.refuses("sts", "get_caller_identity", "ExpiredToken", "too old")
    monkeypatch.setattr(command, "_clients", lambda _: aws)

    done = CliRunner().invoke(app, ["doctor", "--json", "--cdk-json", str(ROOT / "cdk.json")])

    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["status"] == "failure"


def test_given_no_settings_then_the_file_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--cdk-json", str(tmp_path / "none.json")])

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "none.json" in done.stderr
