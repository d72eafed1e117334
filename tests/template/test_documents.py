"""The operator's documents against the stack that is really synthesised."""

import re

from knowledge.diagram import mermaid
from knowledge.load import ROOT
from knowledge.render import DIAGRAM
from models import catalog
from tests.template.conftest import Synthesis

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def test_given_the_stack_when_drawn_then_the_diagram_in_the_documents_is_the_same(production: Synthesis) -> None:
    """Fails when a construct came, went or refers to another: run `make docs-diagram docs`."""
    assert mermaid(production.assembly) == DIAGRAM.read_text(encoding="utf-8")


def test_given_each_alarm_of_the_stack_when_it_rings_then_the_runbook_has_its_section(production: Synthesis) -> None:
    rung = {_section(alarm["AlarmName"]) for alarm in production.of_type("AWS::CloudWatch::Alarm").values()}
    assert rung == set(re.findall(r"^### `PREFIX-([^`]+)`", RUNBOOK, re.M))


def _section(alarm_name: str) -> str:
    """The part of an alarm's name that its section is headed by: without prefix, and without the model's."""
    name = alarm_name.split("-", 1)[1]
    for spec in catalog.all_models():
        if name.endswith(f"-{spec.id}"):
            return name.removesuffix(spec.id) + "<model>"
    return name
