"""The local AWS: MiniStack on loopback, its state below the local directory."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import httpx

from local.errors import StepFailed
from local.processes import Child
from local.settings import LOOPBACK, LocalSettings

REGION = "us-east-2"
ACCOUNT = "000000000000"
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0  # it writes its state when it stops


def client_environment(port: int) -> dict[str, str]:
    """Our own environment, with every AWS client pointed at the local endpoint and none at a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint(port),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def endpoint(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def session() -> boto3.session.Session:
    """Its clients still need `endpoint_url=endpoint(port)`."""
    return boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


class LocalAws:
    """Runs MiniStack from construction to `stop`."""

    def __init__(self, settings: LocalSettings, *, port: int, command: list[str]) -> None:
        self.port = port
        self._log = settings.logs / "aws.log"
        self._child = Child(
            "aws",
            command,
            environment=_server_environment(port, settings.directory),
            log=self._log,
            pid_file=settings.pids / "aws.pid",
        )

    def wait_until_ready(self, interrupted: Callable[[], bool]) -> None:
        """Raises StepFailed when it ends or does not answer within a minute; returns early when interrupted."""
        limit = time.monotonic() + _START_LIMIT_S
        while not interrupted():
            if self._child.exit_code() is not None or time.monotonic() > limit:
                raise StepFailed(f"The local AWS did not start. Its log: {self._log}")
            with contextlib.suppress(httpx.TransportError):  # not listening yet
                if httpx.get(f"{endpoint(self.port)}/_ministack/health", timeout=2, trust_env=False).is_success:
                    return
            time.sleep(0.1)

    @property
    def has_ended(self) -> bool:
        return self._child.exit_code() is not None

    def stop(self) -> None:
        self._child.stop(grace_s=_STOP_LIMIT_S)


def _server_environment(port: int, directory: Path) -> dict[str, str]:
    return client_environment(port) | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,
        # Queue URLs, presigned URLs and the API's host name are made of it.
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(directory / "aws" / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(directory / "aws" / "s3"),
        # Two listeners that bind every interface and that nothing here uses.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # A function's worker stays warm between two ticks of the schedule, and a while longer.
        "LAMBDA_WARM_TTL_SECONDS": "900",
        "LOG_LEVEL": "WARNING",
    }
