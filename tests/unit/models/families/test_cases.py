"""The table of cases is whole: every model, task and scheduler that is offered is compared and resumed."""

import pytest

from models import catalog
from models.catalog import ModelSpec
from models.holocine.family import HoloCineFamily
from tests.unit.models.families import cases

# A model with LoRAs in its weights runs as its base does: test_fused.py.
BASES = [spec for spec in catalog.all_models() if not spec.fused_loras]
PUBLISHED = [spec for spec in BASES if not spec.embedded and spec.family != "holocine"]
TASKS = [(spec, task) for spec in PUBLISHED for task in sorted(spec.tasks)]


@pytest.mark.parametrize(("spec", "task"), TASKS, ids=lambda value: value if isinstance(value, str) else value.id)
def test_given_a_published_model_and_task_then_a_case_runs_every_scheduler_it_offers(
    spec: ModelSpec, task: str, weights_of: cases.WeightsOf
) -> None:
    of_it = [
        case for case in cases.CASES.values() if case.model == spec.id and case.with_image == (task == "image-to-video")
    ]
    assert of_it
    offered = cases.load(of_it[0], weights_of(of_it[0].name))._family.schedulers
    assert offered.keys() == {"default", *spec.schedulers}
    run = {name for case in of_it for name in case.schedulers}
    assert {name for name, make in offered.items() if make is not offered["default"]} <= run
    assert "default" in run


def test_given_a_shipped_model_then_its_schedulers_are_a_published_models() -> None:
    run = {name for case in cases.CASES.values() if case.model == "wan-mini" for name in case.schedulers}
    for spec in BASES:
        if spec.embedded and spec.family == "wan":
            assert {"default", *spec.schedulers} == run


def test_given_holocine_then_its_only_scheduler_is_the_one_its_own_tests_run() -> None:
    offered = HoloCineFamily(text_length=256).schedulers
    assert offered.keys() == {"default", "flow-match-euler"}
    assert len(set(offered.values())) == 1
    for spec in catalog.all_models():
        if spec.family == "holocine":
            assert spec.schedulers == ("flow-match-euler",)
