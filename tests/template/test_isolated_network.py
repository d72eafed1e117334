"""Instances without a route out reach all that their role lets them call, through endpoints."""

from __future__ import annotations

import copy
import json

import pytest
from aws_cdk import App

import app as entry_point
from tests.template.conftest import Synthesis, cdk_context
from tests.template.test_rule_packs import lint

# The service of an endpoint, where it is not called as the actions' prefix.
NAMED = {"cloudwatch": "monitoring"}


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    context = copy.deepcopy(cdk_context())
    context["settings"]["fleet"]["isolated_network"] = True
    context["settings"]["fleet"]["image"]["build"] = True
    directory = tmp_path_factory.mktemp("isolated")
    application = App(context=context, outdir=str(directory))
    entry_point.build(application)
    application.synth()  # fails on a finding of cdk-nag
    (template_file,) = directory.glob("*.template.json")
    return Synthesis(template=json.loads(template_file.read_text(encoding="utf-8")), assembly=directory)


@pytest.mark.parametrize("role", ["FleetRole", "AgentImageRole"])
def test_given_what_an_instance_may_call_then_each_service_has_an_endpoint(role: str, isolated: Synthesis) -> None:
    (policy,) = (one for name, one in isolated.of_type("AWS::IAM::Policy").items() if name.startswith(role))
    actions = {
        action
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    called = {NAMED.get(prefix, prefix) for prefix in (action.split(":")[0] for action in actions)}

    served = {_service(one["ServiceName"]) for one in isolated.of_type("AWS::EC2::VPCEndpoint").values()}

    assert called
    assert called - served == set()


def test_given_the_subnets_then_none_has_a_way_out(isolated: Synthesis) -> None:
    assert isolated.of_type("AWS::EC2::InternetGateway") == {}
    assert isolated.of_type("AWS::EC2::NatGateway") == {}
    (template,) = isolated.of_type("AWS::EC2::LaunchTemplate").values()
    (interface,) = template["LaunchTemplateData"].get("NetworkInterfaces", [{}])
    assert not interface.get("AssociatePublicIpAddress")


def test_given_the_setting_then_cfn_lint_is_content(isolated: Synthesis) -> None:
    lint(isolated)


def _service(name: object) -> str:
    """`sqs` of `com.amazonaws.us-east-2.sqs`, or of a join that ends so."""
    text = name if isinstance(name, str) else str(name["Fn::Join"][1][-1])  # type: ignore[index]
    return text.rpartition(".")[2]
