"""An alarm reaches the operator: it may publish to the topic, and use the key that the topic is encrypted with."""

from __future__ import annotations

from typing import Any

from tests.template.conftest import Synthesis

ALARMS = {"Service": "cloudwatch.amazonaws.com"}
OF_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def allowed(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements that let alarms of this account do something."""
    statements = document["Statement"]
    return [each for each in statements if each["Effect"] == "Allow" and each["Principal"] == ALARMS]


def test_given_the_topic_when_read_then_it_is_encrypted_with_a_key_that_rotates(production: Synthesis) -> None:
    topics = production.of_type("AWS::SNS::Topic").values()
    ((key_id, key),) = production.of_type("AWS::KMS::Key").items()

    assert topics
    assert [topic["KmsMasterKeyId"] for topic in topics] == [{"Fn::GetAtt": [key_id, "Arn"]}] * len(topics)
    assert key["EnableKeyRotation"] is True


def test_given_an_alarm_when_it_rings_then_topic_and_key_let_it_publish(production: Synthesis) -> None:
    """A topic's own policy takes the place of the default one, under which alarms need no mention."""
    (policy,) = production.of_type("AWS::SNS::TopicPolicy").values()
    (key,) = production.of_type("AWS::KMS::Key").values()

    (publish,) = allowed(policy["PolicyDocument"])
    (use,) = allowed(key["KeyPolicy"])
    assert publish["Action"] == "sns:Publish"
    assert set(use["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    assert publish["Condition"] == use["Condition"] == OF_THIS_ACCOUNT


def test_given_auto_scaling_when_it_tells_of_errors_then_the_key_serves_it_through_sns_alone(
    production: Synthesis,
) -> None:
    (key,) = production.of_type("AWS::KMS::Key").values()
    (anybody,) = (each for each in key["KeyPolicy"]["Statement"] if each["Principal"] == {"AWS": "*"})

    assert anybody["Condition"]["StringEquals"] == {
        "kms:CallerAccount": {"Ref": "AWS::AccountId"},
        "kms:ViaService": "sns.us-east-2.amazonaws.com",
    }
