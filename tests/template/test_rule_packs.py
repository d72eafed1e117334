"""cdk-nag's AWS Solutions pack and cfn-lint find nothing that is not answered for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from cdk.nag import check_app
from tests.template.conftest import REPOSITORY, Synthesis


def _conclusions(assembly: Path) -> dict[str, str]:
    report = json.loads((assembly / "validation-report.json").read_text(encoding="utf-8"))
    return {pack["pluginName"]: pack["conclusion"] for pack in report["pluginReports"]}


@pytest.mark.parametrize("profile", ["production", "local"])
def test_given_a_profile_when_synthesised_then_the_aws_solutions_pack_is_content(
    profile: str, request: pytest.FixtureRequest
) -> None:
    synthesis: Synthesis = request.getfixturevalue(profile)

    # A pack that finds nothing at all writes no report.
    assert set(_conclusions(synthesis.assembly).values()) <= {"success"}


def test_given_an_open_bucket_when_synthesised_then_the_pack_refuses_it(tmp_path: Path) -> None:
    application = App(outdir=str(tmp_path))
    s3.Bucket(Stack(application, "Careless"), "Open")
    check_app(application)

    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        application.synth()


def lint(synthesis: Synthesis) -> None:
    """Fails with cfn-lint's findings."""
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(synthesis.template_file)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("profile", ["production", "local"])
def test_given_a_profile_when_linted_then_cfn_lint_is_content(profile: str, request: pytest.FixtureRequest) -> None:
    lint(request.getfixturevalue(profile))
