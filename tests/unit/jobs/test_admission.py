"""What the fleet can run, before and after its instances have spoken."""

import pytest

from jobs.admission import Admission, work_of
from jobs.errors import RequestError
from jobs.fleet import Ability, FleetStore
from jobs.request import ShotBody
from models import catalog, estimate
from tests.unit.jobs.cloud import TABLE, Cloud
from tests.unit.jobs.made import Clock, request


@pytest.fixture
def fleet(cloud: Cloud) -> FleetStore:
    return FleetStore(TABLE)


def test_given_a_known_instance_type_then_its_published_shape_decides(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("g5.12xlarge",))

    quoted = admission(request(model="wan2.2-t2v-a14b", size="832x480", num_frames=81, num_inference_steps=40))

    assert quoted.slot.startswith("A10G")
    assert quoted.cost_usd is not None
    assert 0 < quoted.cost_usd < 10
    assert quoted.boot_s > 0


def test_given_an_unknown_kind_that_has_not_reported_then_nobody_can_tell(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("local",))

    assert admission.runnable(catalog.get("mochi-1")).runnable is None
    assert admission(request()).cost_usd is None


def test_given_a_report_then_it_decides_and_gives_the_reason(fleet: FleetStore) -> None:
    clock = Clock()
    admission = Admission(fleet=fleet, instance_types=("local",), now=clock)
    admission.runnable(catalog.get("mochi-1"))
    abilities = (Ability(model="wan-mini", runnable=True), Ability(model="mochi-1", runnable=False, reason="no GPU"))
    fleet.report_abilities("local", slot="CPUx2", abilities=abilities, boot_s=4.0)
    clock.at += 60

    with pytest.raises(RequestError, match="no GPU"):
        admission(request(model="mochi-1", size="848x480", num_frames=85, fps=30))
    assert (admission(request()).slot, admission(request()).boot_s) == ("CPUx2", 4.0)
    assert admission.runnable(catalog.get("ltx-video")).runnable is False


def test_given_a_slot_that_the_arithmetic_does_not_know_then_the_instances_word_holds(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("local",))
    fleet.report_abilities("local", slot="Voodoo2", abilities=(Ability(model="mochi-1", runnable=True),))

    assert admission.runnable(catalog.get("mochi-1")).runnable is True
    assert admission.runnable(catalog.get("wan-mini")).runnable is False
    assert admission(request(model="mochi-1", size="848x480", num_frames=85, fps=30)).seconds > 0


def test_given_several_kinds_then_one_that_can_is_enough(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("local", "g5.12xlarge"))
    fleet.report_abilities("local", slot="CPUx2", abilities=())

    assert admission.runnable(catalog.get("wan2.2-t2v-a14b")).runnable is True


def test_given_shots_without_lengths_then_the_estimate_takes_them_as_even_parts() -> None:
    asked = request(model="holocine-14b-sparse", size="832x480", num_frames=241, num_inference_steps=50)
    shots = [ShotBody(prompt="she enters"), ShotBody(prompt="she sits"), ShotBody(prompt="she reads")]

    parts = work_of(asked.model_copy(update={"shots": tuple(shots)})).shot_frames

    assert parts == (80, 81, 80)
    spec = catalog.get(asked.model)
    whole = estimate.flops(spec, work_of(asked)).denoise_pf
    in_parts = estimate.flops(spec, work_of(asked.model_copy(update={"shots": tuple(shots)}))).denoise_pf
    assert in_parts < 0.8 * whole, "sparse attention is what the shots save"
