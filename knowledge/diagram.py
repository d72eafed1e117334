"""A diagram of the architecture, drawn from what CDK synthesised and from nothing else.

Boxes are the stack's own constructs (the first level of the construct tree) with their main resources; an arrow says
that a resource of one refers to a resource of another in the template.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Resource types worth a line in a box, and how a person calls them. Policies, permissions and the like are plumbing.
_NAMES: Mapping[str, str] = {
    "AWS::ApiGatewayV2::Api": "HTTP API",
    "AWS::AutoScaling::AutoScalingGroup": "Auto Scaling group",
    "AWS::CloudFront::Distribution": "CloudFront",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::DynamoDB::GlobalTable": "DynamoDB table",
    "AWS::DynamoDB::Table": "DynamoDB table",
    "AWS::EC2::LaunchTemplate": "launch template",
    "AWS::EC2::VPC": "VPC",
    "AWS::EC2::VPCEndpoint": "VPC endpoint",
    "AWS::Events::Archive": "event archive",
    "AWS::Events::EventBus": "event bus",
    "AWS::Events::Rule": "rule",
    "AWS::Lambda::Function": "Lambda function",
    "AWS::S3::Bucket": "S3 bucket",
    "AWS::SNS::Topic": "SNS topic",
    "AWS::SQS::Queue": "SQS queue",
    "AWS::WAFv2::WebACL": "web ACL",
}
_LOGICAL_ID = "aws:cdk:logicalId"
# The singleton functions that CDK adds for its own custom resources.
_HELPER = re.compile(r"^(AWS[0-9a-f]{32}|Custom::.*|CustomS3AutoDelete.*)$")


class NotSynthesised(FileNotFoundError):
    """The folder holds no synthesised template: run ``make synth`` first."""


def mermaid(assembly: Path) -> str:
    """A Mermaid flowchart of the one template in a cloud assembly (``cdk.out``). Raises NotSynthesised."""
    resources, groups = _resources(assembly), _groups(assembly)
    boxes: dict[str, Counter[str]] = defaultdict(Counter)
    for name, group in groups.items():
        label = _NAMES.get(resources[name]["Type"]) if name in resources else None
        if label is not None:
            boxes[group][label] += 1
    arrows = {
        (groups[name], groups[target])
        for name in groups.keys() & resources.keys()
        for target in _references(resources[name])
        if target in groups and groups[target] != groups[name] and {groups[name], groups[target]} <= boxes.keys()
    }
    lines = ["flowchart LR"]
    lines += [f'    {group}["{_label(group, counts)}"]' for group, counts in sorted(boxes.items())]
    lines += [f"    {source} --> {target}" for source, target in sorted(arrows)]
    return "\n".join(lines) + "\n"


def _resources(assembly: Path) -> Mapping[str, Any]:
    resources: Mapping[str, Any] = _only(assembly, "*.template.json")["Resources"]
    return resources


def _groups(assembly: Path) -> Mapping[str, str]:
    """Each resource's logical id and the first level of the construct tree it stands in; CDK's own helpers left out."""
    groups: dict[str, str] = {}
    for path, entries in _only(assembly, "*.metadata.json").items():
        levels = path.strip("/").split("/")
        if len(levels) > 2 and not _HELPER.match(levels[1]):
            groups |= {entry["data"]: levels[1] for entry in entries if entry["type"] == _LOGICAL_ID}
    return groups


def _only(assembly: Path, pattern: str) -> Mapping[str, Any]:
    files = sorted(assembly.glob(pattern))
    if len(files) != 1:
        raise NotSynthesised(f"{assembly} has {len(files)} files {pattern}, not one; run `make synth`")
    content: Mapping[str, Any] = json.loads(files[0].read_text(encoding="utf-8"))
    return content


def _references(value: object) -> Iterator[str]:
    """Logical ids that a part of a template refers to."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.split(".")[0]
            else:
                yield from _references(item)


def _label(group: str, counts: Counter[str]) -> str:
    parts = [name if count == 1 else f"{count} {name}s" for name, count in sorted(counts.items())]
    return f"<b>{group}</b><br/>" + "<br/>".join(parts)
