"""What an instance of the fleet may do, and no more: it runs models and files that strangers made."""

from aws_cdk import aws_iam as iam

from cdk.fleet import Fleet
from cdk.nag import accept_wildcard
from cdk.queues import JobQueues
from cdk.storage import Storage

_KEYS_REASON = "Objects have keys that are made at run time; the prefix is fixed."


def grant_agent(fleet: Fleet, storage: Storage, queues: JobQueues) -> None:
    """Poll, lease, read weights and inputs, write results and checkpoints, end itself; sessions through SSM."""
    _allow(
        fleet,
        [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueUrl",
            "sqs:SendMessage",
        ],
        queues.arns,
    )
    # A job that keeps killing its workers ends there, with its reason.
    _allow(fleet, ["sqs:GetQueueUrl", "sqs:SendMessage"], [queues.dead_letters.queue_arn])
    table_arn = storage.table.table_arn
    _allow(
        fleet,
        ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
        [table_arn, f"{table_arn}/index/*"],
    )
    _accept(fleet, f"{table_arn}/index/*", "The table's two indexes.")
    _objects(fleet, storage, ["s3:GetObject"], "weights/*", "loras/*", "inputs/*", "uploads/*", "agent/*", "videos/*")
    # Characters: what they are learned from, and what was learned, deleted where the character went meanwhile.
    _objects(fleet, storage, ["s3:GetObject"], "characters/*")
    _objects(fleet, storage, ["s3:PutObject", "s3:DeleteObject"], "loras/character_*")
    _objects(fleet, storage, ["s3:PutObject", "s3:AbortMultipartUpload"], "videos/*", "checkpoints/*")
    _objects(fleet, storage, ["s3:GetObject", "s3:DeleteObject"], "checkpoints/*")
    _allow(fleet, ["s3:ListBucket"], [storage.media.bucket_arn])
    _allow(
        fleet,
        [
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            "autoscaling:SetInstanceProtection",
            "autoscaling:CompleteLifecycleAction",
        ],
        fleet.group_arns,
    )
    for arn in fleet.group_arns:
        _accept(fleet, arn, "Only the group's unique id is a wildcard; its name is fixed.")
    _operate(fleet)


def _operate(fleet: Fleet) -> None:
    """Sessions, logs, metrics, what the instance costs. But for the logs these services know no resources to narrow to,
    so the metrics' namespace is fixed instead."""
    fleet.logs.grant_write(fleet.role)
    _allow(
        fleet,
        [
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
            "ec2:DescribeSpotPriceHistory",
            "autoscaling:DescribeAutoScalingInstances",
        ],
        ["*"],
    )
    fleet.role.add_to_policy(
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringLike": {"cloudwatch:namespace": ["Revalida/*"]}},
        )
    )
    _accept(
        fleet,
        "*",
        "SSM's channels, PutMetricData and these descriptions know no resources; the namespace is a condition.",
    )


def _objects(fleet: Fleet, storage: Storage, actions: list[str], *patterns: str) -> None:
    arns = [storage.media.arn_for_objects(pattern) for pattern in patterns]
    _allow(fleet, actions, arns)
    for arn in arns:
        _accept(fleet, arn, _KEYS_REASON)


def _allow(fleet: Fleet, actions: list[str], resources: list[str]) -> None:
    fleet.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))


def _accept(fleet: Fleet, resource: str, reason: str) -> None:
    accept_wildcard(fleet.role, resource, reason)
