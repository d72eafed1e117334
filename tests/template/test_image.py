"""The own machine image, behind its setting: what it bakes is what instances boot with."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from pydantic import ValidationError

import app as entry_point
from cdk.image import bake_commands
from cdk.settings import load_settings
from tests.template.conftest import Synthesis, cdk_context
from tests.template.test_boot_script import BOOT, artifact, bash
from tests.template.test_rule_packs import lint

__all__ = ["artifact"]


def with_image(**changes: Any) -> dict[str, Any]:
    context = copy.deepcopy(cdk_context())
    context["settings"]["fleet"]["image"] |= changes
    return context


@pytest.fixture(scope="module")
def baking(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    directory = tmp_path_factory.mktemp("image")
    application = App(context=with_image(build=True, use=True, models=["wan2.2-ti2v-5b"]), outdir=str(directory))
    entry_point.build(application)
    application.synth()  # fails on a finding of cdk-nag
    (template_file,) = directory.glob("*.template.json")
    return Synthesis(template=json.loads(template_file.read_text(encoding="utf-8")), assembly=directory)


def test_given_the_default_settings_then_nothing_is_baked(production: Synthesis) -> None:
    assert production.of_type("AWS::ImageBuilder::ImagePipeline") == {}


def test_given_the_setting_then_cfn_lint_is_content(baking: Synthesis) -> None:
    lint(baking)


def test_given_the_setting_then_the_boot_script_bakes_agent_and_weights(baking: Synthesis) -> None:
    (component,) = baking.of_type("AWS::ImageBuilder::Component").values()
    data = json.dumps(component["Data"])

    assert "link_baked_weights" in data
    assert "bake 0.1.0 " in data
    assert "wan2.2-ti2v-5b'" in data
    (recipe,) = baking.of_type("AWS::ImageBuilder::ImageRecipe").values()
    assert recipe["ParentImage"].startswith("ssm:/aws/service/")
    assert recipe["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    (infrastructure,) = baking.of_type("AWS::ImageBuilder::InfrastructureConfiguration").values()
    assert infrastructure["InstanceMetadataOptions"]["HttpTokens"] == "required"


def test_given_the_image_in_use_then_instances_launch_from_what_the_pipeline_writes(baking: Synthesis) -> None:
    (distribution,) = baking.of_type("AWS::ImageBuilder::DistributionConfiguration").values()
    (written,) = distribution["Distributions"][0]["SsmParameterConfigurations"]
    (template,) = baking.of_type("AWS::EC2::LaunchTemplate").values()

    assert template["LaunchTemplateData"]["ImageId"] == f"resolve:ssm:{written['ParameterName']}"


def test_given_a_baked_image_then_the_volume_is_not_smaller_than_it(baking: Synthesis) -> None:
    (recipe,) = baking.of_type("AWS::ImageBuilder::ImageRecipe").values()
    (template,) = baking.of_type("AWS::EC2::LaunchTemplate").values()
    image, instance = (
        mappings[0]["Ebs"]["VolumeSize"]
        for mappings in (recipe["BlockDeviceMappings"], template["LaunchTemplateData"]["BlockDeviceMappings"])
    )

    assert instance >= image


def test_given_a_bake_that_fails_then_the_step_does_too(artifact: Path) -> None:
    fleet = load_settings(with_image(build=True, models=["wan2.2-ti2v-5b"])).fleet
    (artifact / "tools" / "aws").write_text("#!/bin/bash\nexit 1\n")
    environment = {"ROOT": str(artifact / "root"), "PATH": f"{artifact / 'tools'}:/usr/bin:/bin"}

    # Image Builder makes one script of a step's commands.
    script = "\n".join(bake_commands(fleet, "media")).replace("/tmp/", f"{artifact}/")
    ran = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode != 0


def test_given_an_image_that_nobody_bakes_then_using_it_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"image\.use without image\.build"):
        load_settings(with_image(use=True))


def test_given_a_baked_agent_then_a_boot_installs_nothing_and_links_the_weights(artifact: Path) -> None:
    """The stand-in for S3 has no weights: they are put where `bake` would copy them."""
    root = artifact / "root"
    whole, partial = (root / "opt/revalida-weights" / name / "abc123" for name in ("model-a", "model-b"))
    for folder in (whole, partial):
        folder.mkdir(parents=True)
    (whole / "manifest.json").write_text("{}")
    tools = f"{artifact / 'tools'}:/usr/bin:/bin"
    baked = bash(root, "bake 9.9 media", tools)
    assert baked.returncode == 0, baked.stderr
    (artifact / "tools" / "aws").write_text("#!/bin/bash\nexit 1\n")  # S3 is not asked again

    booted = bash(root, "install_agent 9.9 media; link_baked_weights", tools)

    assert (booted.returncode, "is on the image" in booted.stdout) == (0, True), booted.stderr
    fetched = root / "var/lib/revalida/weights/fetched"
    assert (fetched / "model-a" / "abc123" / "manifest.json").read_text() == "{}"
    assert not (fetched / "model-b").exists()
    assert bash(root, "install_agent 9.8 media", tools).returncode != 0  # another version is not taken for it


def test_given_the_boot_script_when_baked_then_it_fits_a_component() -> None:
    assert BOOT.stat().st_size < 12_000  # of the 16,000 characters of a component's data, escapes included
