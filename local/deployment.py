"""Deploys app.py's stack to the local AWS with the plain CDK CLI, when something that it is made of changed."""

import hashlib
import json
import platform
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from pydantic import BaseModel

from local.aws import ACCOUNT, REGION
from local.errors import MissingTool, StepFailed
from local.processes import Child
from local.settings import ROOT, LocalSettings

CDK = ROOT / "node_modules" / ".bin" / "cdk"

# What the template and its assets are made of.
INPUTS = ("app.py", "cdk.json", "cdk", "lambdas", "jobs", "models/catalog", "models/estimate", "models/placement")
LOCKS = ("requirements.txt", "package-lock.json")


class Deployment(BaseModel):
    """The outputs of the deployed stack, as cdk/stack.py names them, and the fingerprint of what it was made of."""

    fingerprint: str
    stack_name: str
    outputs: dict[str, str]

    @property
    def api_id(self) -> str:
        return self.outputs["ApiId"]

    @property
    def agent_environment(self) -> dict[str, str]:
        return {str(name): str(value) for name, value in json.loads(self.outputs["AgentEnvironment"]).items()}


def fingerprint(root: Path = ROOT) -> str:
    """Of every input's path and content, and of the interpreter that the functions will run in."""
    digest = hashlib.sha256(f"{platform.machine()} {sys.version}\n".encode())
    for file in _input_files(root):
        digest.update(f"{file.relative_to(root)}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _input_files(root: Path) -> Iterator[Path]:
    for name in (*INPUTS, *LOCKS):
        path = root / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


class Deployer:
    """Runs the CDK CLI; its output goes to `log`, its working files below `directory`."""

    def __init__(self, settings: LocalSettings, *, environment: Mapping[str, str]) -> None:
        if not CDK.exists():
            raise MissingTool("The CDK CLI is not installed. Run: make setup")
        self._settings = settings
        self._record = settings.directory / "deployment.json"
        self._log = settings.logs / "cdk.log"
        self._environment = dict(environment) | {"CDK_DISABLE_CLI_TELEMETRY": "true"}

    def current(self, session: boto3.session.Session, endpoint: str) -> Deployment | None:
        """The deployment that stands, if it was made of the present inputs and the local AWS still has it."""
        if not self._record.is_file():
            return None
        deployment = Deployment.model_validate_json(self._record.read_bytes())
        if deployment.fingerprint != fingerprint():
            return None
        client = session.client("cloudformation", endpoint_url=endpoint)
        try:
            stacks = client.describe_stacks(StackName=deployment.stack_name)["Stacks"]
        except ClientError:
            return None  # its state was lost or wiped
        return deployment if stacks[0]["StackStatus"].endswith("_COMPLETE") else None

    def deploy(self, interrupted: threading.Event) -> Deployment | None:
        """Bootstraps and synthesises side by side, then deploys. None when interrupted, with nothing left running.

        Raises StepFailed naming the log.
        """
        made_of = fingerprint()
        directory = self._settings.directory
        assembly, outputs = directory / "cdk.out", directory / "outputs.json"
        application = f"{sys.executable} app.py"
        # In a directory without cdk.json, for bootstrapping needs no app and would synthesise it a second time.
        bootstrap = self._start("bootstrap", f"aws://{ACCOUNT}/{REGION}", directory=directory)
        synthesis = self._start(
            "synth", "--quiet", "--context", "profile=local", "--app", application, "--output", str(assembly)
        )
        if not self._finish(interrupted, bootstrap, synthesis):
            return None
        deploy = self._start(
            "deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--outputs-file", str(outputs)
        )
        if not self._finish(interrupted, deploy):
            return None
        ((stack_name, values),) = json.loads(outputs.read_bytes()).items()
        deployment = Deployment(fingerprint=made_of, stack_name=stack_name, outputs=values)
        self._record.write_text(deployment.model_dump_json(indent=2), encoding="utf-8")
        return deployment

    def _start(self, step: str, *arguments: str, directory: Path = ROOT) -> Child:
        return Child(
            f"cdk {step}",
            [str(CDK), "--no-notices", "--no-color", "--progress", "events", step, *arguments],
            environment=self._environment,
            log=self._log,
            pid_file=self._settings.pids / f"cdk-{step}.pid",
            directory=directory,
        )

    def _finish(self, interrupted: threading.Event, *steps: Child) -> bool:
        """Waits for all steps; False when interrupted. Raises StepFailed for the first that fails."""
        try:
            while any(step.exit_code() is None for step in steps):
                if interrupted.wait(0.1):
                    return False
                self._check(steps)
            self._check(steps)
            return True
        finally:
            for step in steps:
                step.stop(grace_s=5)

    def _check(self, steps: Iterable[Child]) -> None:
        for step in steps:
            if step.exit_code() not in (None, 0):
                raise StepFailed(f"{step.name} failed. Its log: {self._log}")
