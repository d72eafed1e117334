"""The local system from start to stop: local AWS, deployment, front door, fleet."""

import os
import signal
import sys
import threading
import time
from types import FrameType

import uvicorn

from jobs.keys import KeyStore, Scope
from local import aws
from local.abilities import AbilitiesReport
from local.banner import banner
from local.deployment import Deployer, Deployment
from local.errors import StepFailed
from local.fleet import LocalFleet
from local.front_door import create_app
from local.lock import exclusive
from local.ports import free_port, require_free
from local.settings import LOOPBACK, ROOT, LocalSettings
from local.stack_file import StackFile, write_private

_TICK_S = 1.0
_USUAL_GATEWAY_PORT = 4566


class LocalSystem:
    """`run` returns when a signal asks for it; by then every child has ended."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._asked_to_stop = threading.Event()
        self._started_at_s = time.monotonic()

    def run(self) -> None:
        """Raises LocalSystemError for what a person can put right."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        with exclusive(self._settings.directory):
            self._settings.stack_file.unlink(missing_ok=True)  # it stands for a system that is ready
            require_free(self._settings.port, variable="PORT")
            self._run_with_aws(self._gateway_port())

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop.set()

    def _gateway_port(self) -> int:
        if self._settings.gateway_port is not None:
            return require_free(self._settings.gateway_port, variable="REVALIDA_GATEWAY_PORT")
        return free_port(_USUAL_GATEWAY_PORT)

    def _run_with_aws(self, port: int) -> None:
        local_aws = aws.LocalAws(self._settings, port=port, command=[sys.executable, "-m", "local.emulator"])
        try:
            deployment = self._deployment(local_aws, port)
            if deployment is not None:
                self._serve(local_aws, deployment)
        finally:
            local_aws.stop()

    def _deployment(self, local_aws: aws.LocalAws, port: int) -> Deployment | None:
        """None when asked to stop before it stands."""
        deployer = Deployer(self._settings, environment=aws.client_environment(port))
        local_aws.wait_until_ready(self._asked_to_stop.is_set)
        current = deployer.current(aws.session(), aws.endpoint(port))
        if current is not None or self._asked_to_stop.is_set():
            return current
        _say("Deploying the stack to the local AWS (about half a minute) ...")
        return deployer.deploy(self._asked_to_stop)

    def _serve(self, local_aws: aws.LocalAws, deployment: Deployment) -> None:
        stack = self._describe(local_aws.port, deployment)
        door = _FrontDoor(local_aws.port, deployment, self._settings)
        environment = self._agent_environment(local_aws.port, deployment)
        report = AbilitiesReport(self._settings, environment)
        fleet = self._fleet(local_aws.port, deployment, environment)
        try:
            door.wait_until_ready()
            report.finish(self._asked_to_stop)
            stack.write(self._settings.stack_file)
            _say(banner(stack, logs=str(self._settings.logs)))
            _say(f"Ready in {time.monotonic() - self._started_at_s:.1f} s.")
            while not self._asked_to_stop.wait(_TICK_S):
                if local_aws.has_ended:
                    raise StepFailed(f"The local AWS ended. Its log: {self._settings.logs / 'aws.log'}")
                if self._settings.agents:
                    fleet.tick()
            _say("Stopping ...")
        finally:
            fleet.stop()
            door.stop()

    def _describe(self, port: int, deployment: Deployment) -> StackFile:
        outputs = deployment.outputs
        base = f"http://{LOOPBACK}:{self._settings.port}"
        return StackFile(
            api_base=f"{base}/v1",
            api_key=self._api_key(port, outputs["TableName"]),
            media_bucket=outputs["MediaBucket"],
            event_bus=outputs["EventBus"],
            aws_endpoint=aws.endpoint(port),
            region=aws.REGION,
            console=base,
            table=outputs["TableName"],
            asg_name=outputs["AsgName"],
            queue_prefix=outputs["QueuePrefix"],
        )

    def _api_key(self, port: int, table: str) -> str:
        """The key of the last start while the table knows it; else a new one, which is shown this once."""
        keys = KeyStore(table, client=aws.session().client("dynamodb", endpoint_url=aws.endpoint(port)))
        remembered = self._settings.directory / "api-key"
        if remembered.is_file() and keys.find(key := remembered.read_text(encoding="ascii")) is not None:
            return key
        key = keys.create(owner="default", name="local", scopes=tuple(Scope))
        write_private(remembered, key)
        return key

    def _agent_environment(self, port: int, deployment: Deployment) -> dict[str, str]:
        return {
            **aws.client_environment(port),
            # MiniStack serves the instance metadata too; a test that sends Spot notices names its own.
            "REVALIDA_IMDS_ENDPOINT": os.environ.get("REVALIDA_IMDS_ENDPOINT", aws.endpoint(port)),
            **deployment.agent_environment,
            "REVALIDA_USD_PER_HOUR": "0",  # nobody bills this machine
            "REVALIDA_LIFECYCLE_HOOK": "",  # MiniStack's instances go without waiting
        }

    def _fleet(self, port: int, deployment: Deployment, environment: dict[str, str]) -> LocalFleet:
        return LocalFleet(
            self._settings,
            group_name=deployment.outputs["AsgName"],
            client=aws.session().client("autoscaling", endpoint_url=aws.endpoint(port)),
            environment=environment,
        )


class _FrontDoor:
    """The front door's server, in a thread of its own."""

    def __init__(self, gateway_port: int, deployment: Deployment, settings: LocalSettings) -> None:
        app = create_app(
            api_url=aws.endpoint(gateway_port),
            api_host=f"{deployment.api_id}.execute-api.{LOOPBACK}:{gateway_port}",
            console=ROOT / "console" / "dist",
        )
        config = uvicorn.Config(app, host=LOOPBACK, port=settings.port, log_level="warning", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="front-door", daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        """Raises StepFailed when it cannot listen."""
        while not self._server.started:
            if not self._thread.is_alive():
                raise StepFailed("The front door could not start.")
            time.sleep(0.05)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._server.force_exit = True


def _say(text: str) -> None:
    print(text, flush=True)
