"""Where alarms go: one topic, encrypted, that CloudWatch may publish to."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

_ALARMS = "cloudwatch.amazonaws.com"
_USE_KEY = ["kms:Decrypt", "kms:GenerateDataKey*"]


class Alerts(Construct):
    """The topic that tells the operator; an e-mail address subscribes by the settings.

    The key is our own: alarms cannot publish under the one that SNS manages. And CloudWatch has to be named in the
    topic's policy, for a policy that demands TLS takes the place of the default one, which lets the account in."""

    def __init__(self, scope: Construct, construct_id: str, *, email: str) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(
            self, "Topic", display_name="Revalida Video alarms", enforce_ssl=True, master_key=self._key()
        )
        self.topic.add_to_resource_policy(self._for_alarms(["sns:Publish"], self.topic.topic_arn))
        if email:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))

    def _key(self) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            description="Alarms of the studio",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,  # it guards messages on their way, nothing that is kept
        )
        key.add_to_resource_policy(self._for_alarms(_USE_KEY, "*"))
        # Auto Scaling and Image Builder publish by their service-linked roles, which exist only after their first use
        # and so cannot be named here.
        own = Stack.of(self)
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=_USE_KEY,
                resources=["*"],  # in a key's policy: this key
                conditions={
                    "StringEquals": {
                        "kms:CallerAccount": own.account,
                        "kms:ViaService": f"sns.{own.region}.amazonaws.com",
                    }
                },
            )
        )
        return key

    def _for_alarms(self, actions: list[str], resource: str) -> iam.PolicyStatement:
        """For alarms of this account, and of no other."""
        return iam.PolicyStatement(
            principals=[iam.ServicePrincipal(_ALARMS)],
            actions=actions,
            resources=[resource],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
        )
