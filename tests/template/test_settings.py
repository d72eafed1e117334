"""Settings that cannot be are refused before anything is built; local differs by settings alone."""

from __future__ import annotations

import copy
import sys
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from cdk.settings import load_settings
from jobs.planner import WarmWindow as PlannerWindow
from tests.template.conftest import Synthesis, cdk_context


def _context(**fleet: Any) -> dict[str, Any]:
    context = copy.deepcopy(cdk_context())
    context["settings"]["fleet"] |= fleet
    return context


def test_given_more_instances_than_the_quota_when_loaded_then_the_error_says_so() -> None:
    with pytest.raises(ValidationError, match="max_instances=3 of 48 vCPUs each exceed vcpu_quota=96"):
        load_settings(_context(max_instances=3))


def test_given_on_demand_beyond_its_own_quota_when_loaded_then_the_error_says_so() -> None:
    on_demand = {"max_instances": 2, "vcpu_quota": 48, "types": ["g5.12xlarge"]}

    with pytest.raises(ValidationError, match=r"need 96 vCPUs of on_demand\.vcpu_quota=48"):
        load_settings(_context(on_demand=on_demand))


def test_given_an_on_demand_type_that_the_fleet_has_not_when_loaded_then_it_is_named() -> None:
    with pytest.raises(ValidationError, match=r"p5\.48xlarge"):
        load_settings(_context(on_demand={"max_instances": 1, "vcpu_quota": 192, "types": ["p5.48xlarge"]}))


def test_given_a_misspelt_setting_when_loaded_then_it_is_named() -> None:
    with pytest.raises(ValidationError, match="max_instnaces"):
        load_settings(_context(max_instnaces=1))


@pytest.mark.parametrize("network", ["127.0.0.0/8", "::1/128", "169.254.169.254/32", "fe80::/10", "0.0.0.0/0"])
def test_given_production_when_it_is_to_trust_its_own_inside_then_that_is_refused(network: str) -> None:
    context = copy.deepcopy(cdk_context())
    context["settings"]["api"]["trusted_networks"] = ["10.1.0.0/16", network]

    with pytest.raises(ValidationError, match="cannot be trusted at stage 'production'"):
        load_settings(context)


def test_given_the_local_profile_then_loopback_alone_is_trusted() -> None:
    settings = load_settings(cdk_context(), "local")

    assert [str(network) for network in settings.api.trusted_networks] == ["127.0.0.0/8"]


def test_given_zones_of_another_region_when_loaded_then_they_are_named() -> None:
    context = copy.deepcopy(cdk_context())
    context["settings"]["availability_zones"] = ["us-east-1a"]

    with pytest.raises(ValidationError, match="us-east-1a"):
        load_settings(context)


def test_given_a_profile_that_does_not_exist_when_loaded_then_it_is_refused() -> None:
    with pytest.raises(KeyError, match="settings:staging"):
        load_settings(cdk_context(), "staging")


def test_given_the_local_profile_when_loaded_then_functions_run_in_this_interpreter() -> None:
    settings = load_settings(cdk_context(), "local")

    assert settings.functions.runtime == f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert settings.queues == load_settings(cdk_context()).queues


@pytest.mark.parametrize(
    ("day", "from_hour", "to_hour"), [(0, 21, 2), (0, 9, 9), (0, 5, 0), (0, 0, 25), (0, -1, 3), (7, 9, 17), (-1, 9, 17)]
)
def test_given_a_window_that_the_planner_refuses_when_loaded_then_it_is_refused_before_the_deploy(
    day: int, from_hour: int, to_hour: int
) -> None:
    window = {"days": [day], "from_hour": from_hour, "to_hour": to_hour, "instances": 1}
    with pytest.raises(ValidationError):
        PlannerWindow.model_validate(window)

    with pytest.raises(ValidationError, match="warm_windows"):
        load_settings(_with_windows(window))


def test_given_a_window_over_midnight_when_loaded_then_the_error_says_how_to_write_it() -> None:
    with pytest.raises(ValidationError, match="as two: 21 to 24, and 0 to 2 with each of its days one later"):
        load_settings(_with_windows({"days": [4], "from_hour": 21, "to_hour": 2, "instances": 1}))


def test_given_the_two_windows_of_a_night_when_loaded_then_the_planner_takes_them_too() -> None:
    night = [
        {"days": [4], "from_hour": 21, "to_hour": 24, "instances": 1},
        {"days": [5], "from_hour": 0, "to_hour": 2, "instances": 1},
    ]

    loaded = load_settings(_with_windows(*night)).scaling.warm_windows

    assert [PlannerWindow.model_validate(window.model_dump()).model_dump() for window in loaded] == [
        window.model_dump() for window in loaded
    ]


def _with_windows(*windows: dict[str, Any]) -> dict[str, Any]:
    context = copy.deepcopy(cdk_context())
    context["settings"]["scaling"]["warm_windows"] = list(windows)
    return context


def _types(synthesis: Synthesis) -> Counter[str]:
    return Counter(resource["Type"] for resource in synthesis.template["Resources"].values())


def test_given_both_profiles_when_synthesised_then_only_what_the_settings_switch_off_is_missing(
    production: Synthesis, local: Synthesis
) -> None:
    assert _types(local) - _types(production) == Counter()
    assert _types(production) - _types(local) == Counter(
        {
            # console: its bucket and the bucket's policy, CloudFront before it and the API (locally: the front door)
            "AWS::S3::Bucket": 1,
            "AWS::S3::BucketPolicy": 1,
            "AWS::CloudFront::Distribution": 1,
            "AWS::CloudFront::Function": 1,
            "AWS::CloudFront::OriginAccessControl": 1,
            "AWS::CloudFront::ResponseHeadersPolicy": 1,
            # events.archive_days
            "AWS::Events::Archive": 1,
            # fleet.flow_logs: the flow log, its log group, its role
            "AWS::EC2::FlowLog": 1,
            # fleet.on_demand: its group, and the hook that lets it drain
            "AWS::AutoScaling::AutoScalingGroup": 1,
            "AWS::AutoScaling::LifecycleHook": 1,
            # fleet.suspend_az_rebalance and refresh_on_deploy: a call of each for each group, their function, and the
            # role and log group of calls and function
            "Custom::AWS": 4,
            "AWS::Lambda::Function": 1,
            "AWS::Logs::LogGroup": 2,
            "AWS::IAM::Role": 2,
            "AWS::IAM::Policy": 2,
        }
    )
