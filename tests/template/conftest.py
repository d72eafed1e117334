"""The synthesised stack, once for production and once with the local differences."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

import app as entry_point

REPOSITORY = Path(__file__).resolve().parents[2]
Resource = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """A template as CloudFormation gets it, and where its assembly lies."""

    template: dict[str, Any]
    assembly: Path

    @property
    def template_file(self) -> Path:
        return next(self.assembly.glob("*.template.json"))

    def of_type(self, resource_type: str) -> dict[str, Resource]:
        """Properties by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == resource_type
        }

    def resources(self, resource_type: str) -> list[Resource]:
        """Whole resources, with their deletion policies."""
        return [one for one in self.template["Resources"].values() if one["Type"] == resource_type]


def cdk_context() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((REPOSITORY / "cdk.json").read_text(encoding="utf-8"))["context"]
    return context


def synthesise(directory: Path, profile: str | None = None) -> Synthesis:
    context = cdk_context() | ({} if profile is None else {"profile": profile})
    # Asset hashes change with every line of code; they are not what a template test is about.
    application = App(context=context, outdir=str(directory))
    entry_point.build(application)
    application.synth()
    (template_file,) = directory.glob("*.template.json")
    return Synthesis(template=json.loads(template_file.read_text(encoding="utf-8")), assembly=directory)


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    return synthesise(tmp_path_factory.mktemp("production"))


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    return synthesise(tmp_path_factory.mktemp("local"), "local")
