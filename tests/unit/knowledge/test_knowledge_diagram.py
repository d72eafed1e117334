"""The architecture is drawn from a cloud assembly and nothing else."""

import json
from pathlib import Path

import pytest

from knowledge.diagram import NotSynthesised, mermaid

RESOURCES = {
    "Q1": {"Type": "AWS::SQS::Queue"},
    "Q2": {"Type": "AWS::SQS::Queue"},
    "F": {"Type": "AWS::Lambda::Function", "Properties": {"Env": [{"Fn::GetAtt": ["Q1", "Arn"]}, {"Ref": "R"}]}},
    "R": {"Type": "AWS::IAM::Role"},
    "H": {"Type": "AWS::Lambda::Function"},
}
PATHS = {
    "/Stack/Queues/A/Resource": "Q1",
    "/Stack/Queues/B/Resource": "Q2",
    "/Stack/Worker/Function/Resource": "F",
    "/Stack/Worker/Role/Resource": "R",
    "/Stack/AWS679f53fac002430cb0da5b7982bd2287/Resource": "H",
}


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    metadata = {path: [{"type": "aws:cdk:logicalId", "data": name}] for path, name in PATHS.items()}
    (tmp_path / "S.template.json").write_text(json.dumps({"Resources": RESOURCES}), encoding="utf-8")
    (tmp_path / "S.metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return tmp_path


def test_given_two_constructs_when_one_refers_to_the_other_then_an_arrow_joins_their_boxes(assembly: Path) -> None:
    drawn = mermaid(assembly)
    assert 'Queues["<b>Queues</b><br/>2 SQS queues"]' in drawn
    assert "Worker --> Queues" in drawn
    assert "Worker --> Worker" not in drawn


def test_given_cdk_s_own_helper_when_drawn_then_it_is_left_out(assembly: Path) -> None:
    assert "AWS679" not in mermaid(assembly)


def test_given_a_folder_without_a_template_when_drawn_then_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotSynthesised, match="make synth"):
        mermaid(tmp_path)
