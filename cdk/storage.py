"""What is kept: the media bucket and the one table."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.nag import acknowledge
from cdk.settings import DataSettings


class Storage(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, settings: DataSettings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._removal = RemovalPolicy.RETAIN if settings.deletion_protection else RemovalPolicy.DESTROY
        self.media = self._media_bucket(self._access_logs_bucket() if settings.access_logs else None)
        self.table = self._table()

    def _bucket(self, name: str, **options: object) -> s3.Bucket:
        return s3.Bucket(
            self,
            name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=self._removal,
            **options,  # type: ignore[arg-type]
        )

    def _access_logs_bucket(self) -> s3.Bucket:
        bucket = self._bucket(
            "AccessLogs", lifecycle_rules=[s3.LifecycleRule(id="expire", expiration=Duration.days(90))]
        )
        acknowledge(
            bucket, "AwsSolutions-S1", "This bucket receives the access logs; logging it would log its own log."
        )
        return bucket

    def _media_bucket(self, access_logs: s3.Bucket | None) -> s3.Bucket:
        bucket = self._bucket(
            "Media",
            versioned=True,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="media/" if access_logs else None,
            lifecycle_rules=self._lifecycle(),
            cors=self._cors(),
        )
        # The L2's `event_bridge_enabled` sets the same property through a custom resource; the plain one needs none.
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        return bucket

    def _lifecycle(self) -> list[s3.LifecycleRule]:
        settings = self._settings
        return [
            s3.LifecycleRule(
                id="checkpoints", prefix="checkpoints/", expiration=Duration.days(settings.checkpoint_retention_days)
            ),
            s3.LifecycleRule(id="uploads", prefix="uploads/", expiration=Duration.days(settings.upload_retention_days)),
            s3.LifecycleRule(
                id="noncurrent",
                noncurrent_version_expiration=Duration.days(settings.noncurrent_version_retention_days),
                abort_incomplete_multipart_upload_after=Duration.days(1),
            ),
        ]

    def _cors(self) -> list[s3.CorsRule] | None:
        """Browsers of the allowed origins read presigned videos and put presigned uploads; nobody else's may."""
        if not self._settings.allowed_origins:
            return None
        return [
            s3.CorsRule(
                allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.PUT, s3.HttpMethods.POST],
                allowed_origins=list(self._settings.allowed_origins),
                allowed_headers=["*"],
                max_age=3600,
            )
        ]

    def _table(self) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            time_to_live_attribute="expires_at",
            deletion_protection=self._settings.deletion_protection,
            removal_policy=self._removal,
        )
        for index_name, number in (("by_owner", 1), ("by_state", 2)):
            table.add_global_secondary_index(
                index_name=index_name,
                partition_key=dynamodb.Attribute(name=f"gsi{number}pk", type=dynamodb.AttributeType.STRING),
                sort_key=dynamodb.Attribute(name=f"gsi{number}sk", type=dynamodb.AttributeType.STRING),
            )
        return table
