"""The Auto Scaling calls that MiniStack lacks, over real sockets, by boto3."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil
import pytest
from botocore.exceptions import ClientError
from ministack.services import autoscaling  # type: ignore[import-untyped]

from local import aws
from local.emulator import MISSING_ACTIONS
from local.ports import free_port
from local.settings import LocalSettings

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

GROUP = "fleet"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AutoScalingClient]:
    directory = tmp_path_factory.mktemp("local")
    os.environ["REVALIDA_LOCAL_DIR"] = str(directory)
    try:
        settings = LocalSettings()
    finally:
        del os.environ["REVALIDA_LOCAL_DIR"]
    server = aws.LocalAws(settings, port=free_port(), command=[sys.executable, "-m", "local.emulator"])
    try:
        server.wait_until_ready(threading.Event().is_set)
        yield aws.session().client("autoscaling", endpoint_url=aws.endpoint(server.port))
    finally:
        server.stop()


@pytest.fixture
def instances(client: AutoScalingClient) -> Iterator[list[str]]:
    client.create_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=0, MaxSize=3, DesiredCapacity=2)
    yield [instance["InstanceId"] for instance in _group(client)["Instances"]]
    client.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)


def _group(client: AutoScalingClient) -> dict:  # type: ignore[type-arg]
    return client.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]  # type: ignore[return-value]


def test_given_ministack_when_its_actions_are_read_then_ours_are_still_missing() -> None:
    """Once this fails, local/emulator.py has done its duty and can go."""
    assert set(MISSING_ACTIONS).isdisjoint(autoscaling._ACTION_MAP)


def test_given_an_instance_when_it_ends_itself_and_lowers_capacity_then_the_other_stays(
    client: AutoScalingClient, instances: list[str]
) -> None:
    client.terminate_instance_in_auto_scaling_group(InstanceId=instances[0], ShouldDecrementDesiredCapacity=True)

    group = _group(client)
    assert [instance["InstanceId"] for instance in group["Instances"]] == [instances[1]]
    assert group["DesiredCapacity"] == 1


def test_given_an_instance_when_it_ends_and_capacity_stays_then_another_takes_its_place(
    client: AutoScalingClient, instances: list[str]
) -> None:
    client.terminate_instance_in_auto_scaling_group(InstanceId=instances[0], ShouldDecrementDesiredCapacity=False)

    now = [instance["InstanceId"] for instance in _group(client)["Instances"]]
    assert len(now) == 2
    assert instances[0] not in now


def test_given_an_unknown_instance_when_it_ends_then_the_error_is_the_one_of_aws(client: AutoScalingClient) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        client.terminate_instance_in_auto_scaling_group(InstanceId="i-none", ShouldDecrementDesiredCapacity=True)


def test_given_an_instance_when_protected_then_the_group_shows_it(
    client: AutoScalingClient, instances: list[str]
) -> None:
    client.set_instance_protection(AutoScalingGroupName=GROUP, InstanceIds=instances[:1], ProtectedFromScaleIn=True)

    protected = {one["InstanceId"]: one["ProtectedFromScaleIn"] for one in _group(client)["Instances"]}
    assert protected == {instances[0]: True, instances[1]: False}


def test_given_the_emulator_when_it_listens_then_only_on_loopback(client: AutoScalingClient) -> None:
    port = int(client.meta.endpoint_url.rsplit(":", 1)[1])
    (server,) = {
        c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr and c.laddr.port == port
    }
    addresses = {c.laddr.ip for c in psutil.Process(server).net_connections("tcp") if c.status == "LISTEN"}

    assert addresses == {"127.0.0.1"}
