"""The deployment's own resources, for the operator's commands: by configuration, or from the stack's outputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cli.exits import CliError, Exit, usage
from cli.session import Session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_OUTPUTS = {"table": "TableName", "media_bucket": "MediaBucket", "queue_prefix": "QueuePrefix"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "ExpiredToken", "InvalidClientTokenId"}
_MISSING = {"NoSuchBucket", "NoSuchKey", "404", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue"}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """AWS as the session is configured for it: `aws_endpoint` and `region` by configuration, else boto3's own way."""

    session: Session

    @cached_property
    def s3(self) -> "S3Client":
        return self._client("s3")  # type: ignore[no-any-return]

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self._client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def sqs(self) -> "SQSClient":
        return self._client("sqs")  # type: ignore[no-any-return]

    def name(self, resource: str) -> str:
        """The name of the table, bucket or queues. Raises CliError."""
        named = self.session.resource(resource)
        if named:
            return named
        stack = self.session.resource("stack")
        if not stack:
            hint = f"set REVALIDA_{resource.upper()}, or REVALIDA_STACK to the CloudFormation stack's name"
            raise usage(f"The deployment's {resource.replace('_', ' ')} is not known", hint=hint)
        found: str | None = self._outputs(stack).get(_OUTPUTS[resource])
        if not found:
            raise CliError(
                f"The stack {stack} has no output {_OUTPUTS[resource]}", Exit.NOT_FOUND, hint="deploy it again"
            )
        return found

    def _outputs(self, stack: str) -> dict[str, str]:
        described = self._client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}

    def _client(self, service: str) -> Any:
        import boto3  # half a second that the other commands need not wait
        from botocore.config import Config

        endpoint = self.session.resource("aws_endpoint")
        given: dict[str, Any] = {"endpoint_url": endpoint, "region_name": self.session.resource("region")}
        if endpoint and urlsplit(endpoint).hostname in {"127.0.0.1", "localhost"}:
            # The local AWS takes any credentials, and must not be sent real ones.
            given |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        config = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5)
        return boto3.client(service, config=config, **given)  # type: ignore[call-overload]


@contextmanager
def operating(session: Session) -> Iterator[Deployment]:
    """The deployment; what AWS says against it becomes a CliError with a next step."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    try:
        yield Deployment(session=session)
    except ClientError as error:
        raise _refused(error.response.get("Error", {})) from error
    except NoCredentialsError as error:
        raise CliError("AWS has no credentials here", Exit.AUTH, hint="aws sso login, or set AWS_PROFILE") from error
    except NoRegionError as error:
        raise usage("AWS has no region here", hint="set REVALIDA_REGION or AWS_REGION") from error
    except BotoCoreError as error:
        raise CliError(
            f"AWS cannot be reached: {error}", Exit.UNREACHABLE, hint="check the network and the region"
        ) from error


def _refused(told: Any) -> CliError:
    code, message = str(told.get("Code", "")), str(told.get("Message", "AWS refused"))
    if code in _DENIED:
        return CliError(message, Exit.AUTH, hint="use credentials that may do this (docs/security.md)", code=code)
    if code in _MISSING or "does not exist" in message:
        return CliError(message, Exit.NOT_FOUND, hint="check the names: REVALIDA_STACK or the configuration", code=code)
    return CliError(f"AWS refused: {message}", Exit.REFUSED, hint="--verbose tells more", code=code)
