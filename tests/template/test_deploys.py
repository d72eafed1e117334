"""A deploy does no harm: instances are replaced by draining, and what is kept survives."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

import app as entry_point
from gpu_agent.settings import AgentSettings
from tests.template.conftest import Synthesis, cdk_context


def calls(synthesis: Synthesis, action: str) -> list[dict[str, Any]]:
    """The custom resources that make this call on an update."""
    found = synthesis.of_type("Custom::AWS").values()
    return [one for one in found if f'"action":"{action}"' in str(one["Update"])]


def test_given_a_new_agent_when_deployed_then_each_group_is_refreshed_by_draining(production: Synthesis) -> None:
    refreshes = calls(production, "startInstanceRefresh")
    hooks = production.of_type("AWS::AutoScaling::LifecycleHook").values()

    assert len(refreshes) == len(production.of_type("AWS::AutoScaling::AutoScalingGroup")) == 2
    for refresh in refreshes:
        # Nothing that runs is passed over, and nothing that is up to date is replaced.
        assert '"ScaleInProtectedInstances":"Refresh"' in str(refresh["Update"])
        assert '"SkipMatching":true' in str(refresh["Update"])
        assert "LatestVersionNumber" in str(refresh["Update"])  # made when, and only when, the template has changed
        assert "startInstanceRefresh" not in str(refresh["Create"])
    assert {hook["LifecycleTransition"] for hook in hooks} == {"autoscaling:EC2_INSTANCE_TERMINATING"}
    (drain_s,) = {hook["HeartbeatTimeout"] for hook in hooks}
    assert drain_s > AgentSettings.model_fields["drain_s"].default


def test_given_another_agent_version_when_synthesised_then_only_the_template_and_what_follows_it_change(
    production: Synthesis, tmp_path: Path
) -> None:
    context = copy.deepcopy(cdk_context())
    context["settings"]["fleet"]["agent_version"] = "9.9.9"
    application = App(context=context, outdir=str(tmp_path))
    entry_point.build(application)
    assembly = application.synth()
    changed = assembly.stacks[0].template["Resources"]

    before = production.template["Resources"]
    assert set(changed) == set(before)
    types = {before[name]["Type"] for name in before if changed[name] != before[name]}
    assert types <= {"AWS::EC2::LaunchTemplate", "AWS::Lambda::Function"}
    assert "AWS::EC2::LaunchTemplate" in types


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::S3::Bucket"])
def test_given_the_data_when_the_stack_goes_then_they_stay(kind: str, production: Synthesis) -> None:
    for resource in production.resources(kind):
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_given_the_queues_when_updated_then_their_names_keep_them(production: Synthesis) -> None:
    """A queue with a fixed name is changed in place; one that had to be replaced fails the deploy, and loses no job."""
    queues = production.of_type("AWS::SQS::Queue").values()

    assert [queue for queue in queues if "QueueName" not in queue] == []
