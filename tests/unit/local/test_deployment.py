"""A start deploys again when, and only when, something that the stack is made of changed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from local.banner import banner
from local.deployment import Deployment, fingerprint
from local.stack_file import StackFile

STACK = StackFile(
    api_base="http://127.0.0.1:8080/v1",
    api_key="sk-test",
    media_bucket="media",
    event_bus="revalida-video",
    aws_endpoint="http://127.0.0.1:4566",
    region="us-east-2",
    console="http://127.0.0.1:8080",
    table="table",
    asg_name="revalida-fleet",
    queue_prefix="revalida",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "job.py").write_text("one")
    (tmp_path / "gpu_agent").mkdir()
    (tmp_path / "gpu_agent" / "agent.py").write_text("one")
    (tmp_path / "cdk.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("changed", ["jobs/job.py", "jobs/new.py", "cdk.json"])
def test_given_a_change_of_what_is_deployed_when_fingerprinted_then_it_differs(tree: Path, changed: str) -> None:
    before = fingerprint(tree)

    (tree / changed).write_text("two")

    assert fingerprint(tree) != before


@pytest.mark.parametrize("changed", ["gpu_agent/agent.py", "jobs/__pycache__/job.pyc"])
def test_given_a_change_of_anything_else_when_fingerprinted_then_it_is_the_same(tree: Path, changed: str) -> None:
    before = fingerprint(tree)

    (tree / changed).parent.mkdir(exist_ok=True)
    (tree / changed).write_text("two")

    assert fingerprint(tree) == before


def test_given_the_outputs_when_read_then_the_agents_environment_is_whole() -> None:
    deployment = Deployment(
        fingerprint="f", stack_name="S", outputs={"ApiId": "a", "AgentEnvironment": '{"REVALIDA_TABLE": "t"}'}
    )

    assert deployment.agent_environment == {"REVALIDA_TABLE": "t"}


def test_given_the_stack_file_when_written_then_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"

    STACK.write(path)

    assert StackFile.model_validate_json(path.read_text()) == STACK
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_given_a_ready_system_when_announced_then_one_screen_says_all() -> None:
    text = banner(STACK, logs=".local/logs")

    for value in (STACK.api_base, STACK.api_key, STACK.media_bucket, STACK.event_bus, "curl ", "openai", "s3 cp"):
        assert value in text
    assert len(text.splitlines()) <= 30
