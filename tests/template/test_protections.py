"""What a security reviewer looks for first."""

from __future__ import annotations

import json

import pytest

from tests.template.conftest import Synthesis


def test_given_the_buckets_when_read_then_none_can_be_public_and_all_are_encrypted(production: Synthesis) -> None:
    buckets = production.of_type("AWS::S3::Bucket").values()

    assert len(buckets) == 3
    for bucket in buckets:
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]


@pytest.mark.parametrize(
    ("resource_type", "policy_type", "key"),
    [
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ],
)
def test_given_a_store_when_reached_without_tls_then_its_policy_denies(
    production: Synthesis, resource_type: str, policy_type: str, key: str
) -> None:
    guarded = {
        reference["Ref"]
        for policy in production.of_type(policy_type).values()
        if any(
            statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy["PolicyDocument"]["Statement"]
        )
        for reference in (policy[key] if isinstance(policy[key], list) else [policy[key]])
    }

    assert guarded == set(production.of_type(resource_type))


def test_given_data_in_production_when_the_stack_is_deleted_then_bucket_and_table_stay(production: Synthesis) -> None:
    kept = production.resources("AWS::S3::Bucket") + production.resources("AWS::DynamoDB::Table")

    assert {resource["DeletionPolicy"] for resource in kept} == {"Retain"}
    (table,) = production.of_type("AWS::DynamoDB::Table").values()
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_given_the_table_when_read_then_it_streams_both_images_and_forgets_by_expires_at(production: Synthesis) -> None:
    (table,) = production.of_type("AWS::DynamoDB::Table").values()

    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"by_owner", "by_state"}


def test_given_an_instance_when_launched_then_its_metadata_needs_a_token_and_stays_on_the_host(
    production: Synthesis,
) -> None:
    (template,) = production.of_type("AWS::EC2::LaunchTemplate").values()
    options = template["LaunchTemplateData"]["MetadataOptions"]

    assert options["HttpTokens"] == "required"
    assert options["HttpPutResponseHopLimit"] == 1


def test_given_an_instance_when_launched_then_its_volume_is_encrypted(production: Synthesis) -> None:
    (template,) = production.of_type("AWS::EC2::LaunchTemplate").values()

    assert [mapping["Ebs"]["Encrypted"] for mapping in template["LaunchTemplateData"]["BlockDeviceMappings"]] == [True]


def test_given_the_network_when_read_then_nothing_reaches_in_and_no_nat_is_paid(production: Synthesis) -> None:
    groups = production.of_type("AWS::EC2::SecurityGroup").values()

    assert [group for group in groups if "SecurityGroupIngress" in group] == []
    assert production.of_type("AWS::EC2::SecurityGroupIngress") == {}
    assert production.of_type("AWS::EC2::NatGateway") == {}
    assert {endpoint["VpcEndpointType"] for endpoint in production.of_type("AWS::EC2::VPCEndpoint").values()} == {
        "Gateway"
    }


def test_given_the_groups_when_deployed_then_they_start_at_zero_and_keep_what_the_planner_decided(
    production: Synthesis,
) -> None:
    groups = {
        one["AutoScalingGroupName"]: one for one in production.of_type("AWS::AutoScaling::AutoScalingGroup").values()
    }

    assert groups.keys() == {"revalida-fleet", "revalida-fleet-on-demand"}
    for group in groups.values():
        assert group["MinSize"] == "0"
        assert "DesiredCapacity" not in group
        assert group["NewInstancesProtectedFromScaleIn"] is True
    spot = groups["revalida-fleet"]["MixedInstancesPolicy"]["InstancesDistribution"]
    assert spot["SpotAllocationStrategy"] == "price-capacity-optimized"
    assert spot["OnDemandPercentageAboveBaseCapacity"] == 0
    on_demand = groups["revalida-fleet-on-demand"]["MixedInstancesPolicy"]
    assert on_demand["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 100
    overrides = on_demand["LaunchTemplate"]["Overrides"]
    assert [one["InstanceType"] for one in overrides] == ["g5.12xlarge", "g6.12xlarge"]


def test_given_production_when_deployed_then_az_rebalance_is_suspended(production: Synthesis) -> None:
    calls = [json.dumps(call["Create"]) for call in production.of_type("Custom::AWS").values()]

    assert len(calls) >= len(production.of_type("AWS::AutoScaling::AutoScalingGroup"))
    assert all("suspendProcesses" in call and "AZRebalance" in call for call in calls)


def test_given_the_logs_when_written_then_each_group_forgets_in_time(production: Synthesis) -> None:
    groups = production.of_type("AWS::Logs::LogGroup")

    assert [name for name, group in groups.items() if "RetentionInDays" not in group] == []
    assert len(groups) >= len(production.of_type("AWS::Lambda::Function"))


def test_given_a_queue_when_its_messages_cannot_be_ended_then_they_go_to_the_dead_letters(
    production: Synthesis,
) -> None:
    queues = production.of_type("AWS::SQS::Queue").values()
    without = {queue["QueueName"] for queue in queues if "RedrivePolicy" not in queue}

    # A wake that failed is not kept: the next minute's run of the planner does the same.
    assert without == {"revalida-jobs-dead", "revalida-lambda-failures", "revalida-planner-wakes"}
