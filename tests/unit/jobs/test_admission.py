"""What the fleet can run, before and after its instances have spoken."""

import pytest
from botocore.exceptions import EndpointConnectionError

from jobs import aws, s3_keys
from jobs.admission import Admission, work_of
from jobs.errors import RequestError
from jobs.fleet import Ability, FleetStore
from jobs.request import ShotBody
from jobs.training import TrainingBody, TrainingPlan, settings_of
from jobs.weights import WeightsShelf
from models import catalog, estimate
from models.weights.bucket import WeightsBucket
from models.weights.manifest import FileEntry, Manifest
from tests.unit.jobs.cloud import BUCKET, TABLE, Cloud
from tests.unit.jobs.made import Clock, request

NO_WEIGHTS = Ability(model="wan2.2-t2v-a14b", runnable=False, reason="no weights")


def nothing() -> frozenset[str]:
    return frozenset()


def published() -> frozenset[str]:
    return frozenset(spec.id for spec in catalog.all_models() if not spec.embedded)


def manifest(model: str) -> Manifest:
    file = FileEntry(path="model.safetensors", bytes=1, sha256="0" * 64)
    return Manifest(model=model, revision="r1", origins=(), files=(file,))


@pytest.fixture
def fleet(cloud: Cloud) -> FleetStore:
    return FleetStore(TABLE)


def test_given_a_known_instance_type_then_its_published_shape_decides(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("g5.12xlarge",), weights=published)

    quoted = admission(request(model="wan2.2-t2v-a14b", size="832x480", num_frames=81, num_inference_steps=40))

    assert quoted.slot.startswith("A10G")
    assert quoted.cost_usd is not None
    assert 0 < quoted.cost_usd < 10
    assert quoted.boot_s > 0


def test_given_an_unknown_kind_that_has_not_reported_then_nobody_can_tell(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("local",), weights=nothing)

    assert admission.runnable(catalog.get("mochi-1")).runnable is None
    assert admission(request()).cost_usd is None


def test_given_a_report_then_it_decides_and_gives_the_reason(fleet: FleetStore) -> None:
    clock = Clock()
    admission = Admission(fleet=fleet, instance_types=("local",), weights=nothing, now=clock)
    admission.runnable(catalog.get("mochi-1"))
    abilities = (Ability(model="wan-mini", runnable=True), Ability(model="mochi-1", runnable=False, reason="no GPU"))
    fleet.report_abilities("local", slot="CPUx2", abilities=abilities, boot_s=4.0)
    clock.at += 60

    with pytest.raises(RequestError, match="no GPU"):
        admission(request(model="mochi-1", size="848x480", num_frames=85, fps=30))
    assert (admission(request()).slot, admission(request()).boot_s) == ("CPUx2", 4.0)
    assert admission.runnable(catalog.get("ltx-video")).runnable is False


def test_given_a_slot_that_the_arithmetic_does_not_know_then_the_instances_word_holds(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("local",), weights=nothing)
    fleet.report_abilities("local", slot="Voodoo2", abilities=(Ability(model="mochi-1", runnable=True),))

    assert admission.runnable(catalog.get("mochi-1")).runnable is True
    assert admission.runnable(catalog.get("wan-mini")).runnable is False
    assert admission(request(model="mochi-1", size="848x480", num_frames=85, fps=30)).seconds > 0


def test_given_several_kinds_then_one_that_can_is_enough(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("local", "g5.12xlarge"), weights=published)
    fleet.report_abilities("local", slot="CPUx2", abilities=())

    assert admission.runnable(catalog.get("wan2.2-t2v-a14b")).runnable is True


def test_given_weights_that_are_in_no_bucket_then_no_kind_of_instance_runs_the_model(fleet: FleetStore) -> None:
    """Kinds that have not reported yet are no hope: one after the other would be launched, idle and leave."""
    kinds = ("g5.12xlarge", "g6.12xlarge")
    fleet.report_abilities("g5.12xlarge", slot="A10Gx1", abilities=(NO_WEIGHTS,))
    admission = Admission(fleet=fleet, instance_types=kinds, weights=nothing)

    with pytest.raises(RequestError, match=r"revalida weights pull wan2\.2-t2v-a14b") as refusal:
        admission(request(model="wan2.2-t2v-a14b", size="832x480", num_frames=81))

    assert (refusal.value.code, refusal.value.param) == ("not_runnable", "model")
    assert str(refusal.value).startswith("This fleet cannot run it: g5.12xlarge, g6.12xlarge: its weights")
    assert not admission.has_weights(catalog.get("wan2.2-t2v-a14b"))
    assert admission.has_weights(catalog.get("wan-mini"))


@pytest.mark.parametrize("kind", ["g5.12xlarge", "local"])
def test_given_weights_pulled_after_every_instance_said_no_then_the_model_is_taken(
    fleet: FleetStore, kind: str
) -> None:
    """Nothing would boot to say yes: what is refused launches no instance."""
    fleet.report_abilities(kind, slot="A10Gx1", abilities=(NO_WEIGHTS,))
    admission = Admission(fleet=fleet, instance_types=(kind,), weights=published)

    assert admission.runnable(catalog.get("wan2.2-t2v-a14b")).runnable is True
    assert admission.has_weights(catalog.get("wan2.2-t2v-a14b"))


def test_given_a_machine_of_ones_own_then_its_word_on_its_own_weights_counts(fleet: FleetStore) -> None:
    admission = Admission(fleet=fleet, instance_types=("local",), weights=nothing)
    spec = catalog.get("wan2.2-t2v-a14b")
    assert admission.has_weights(spec)  # it may have: nobody has asked it yet

    fleet.report_abilities("local", slot="A10Gx1", abilities=(Ability(model=spec.id, runnable=True),))

    own = Admission(fleet=fleet, instance_types=("local",), weights=nothing)
    assert own.runnable(spec).runnable is True
    assert own.has_weights(spec)
    assert not own.has_weights(catalog.get("mochi-1"))


def test_given_whole_and_half_sets_in_the_bucket_then_the_whole_ones_are_told_and_new_ones_within_a_minute(
    cloud: Cloud,
) -> None:
    clock = Clock()
    shelf = WeightsShelf(BUCKET, now=clock)
    pulled = WeightsBucket(cloud.s3, BUCKET, root=s3_keys.WEIGHTS)
    cloud.put("weights/mochi-1/r1/vae/manifest.json", b"{}")
    cloud.put("weights/mochi-1/r1/model.safetensors", b"half a pull")
    pulled.put_manifest(manifest("wan2.2-t2v-a14b"))
    assert shelf.models() == {"wan2.2-t2v-a14b"}

    pulled.put_manifest(manifest("mochi-1"))
    clock.at += 61

    assert shelf.models() == {"wan2.2-t2v-a14b", "mochi-1"}


def test_given_a_bucket_that_stops_answering_then_what_it_had_counts_until_it_answers(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    shelf = WeightsShelf(BUCKET, now=clock)
    pulled = WeightsBucket(cloud.s3, BUCKET, root=s3_keys.WEIGHTS)
    pulled.put_manifest(manifest("mochi-1"))
    shelf.models()
    pulled.put_manifest(manifest("wan2.2-t2v-a14b"))
    clock.at += 61
    with monkeypatch.context() as outage:
        outage.setattr(aws.s3(), "get_paginator", no_answer)
        assert shelf.models() == {"mochi-1"}
        with pytest.raises(EndpointConnectionError):
            WeightsShelf(BUCKET, now=clock).models()
    clock.at += 61

    assert shelf.models() == {"wan2.2-t2v-a14b", "mochi-1"}


def no_answer(_operation: str) -> None:
    raise EndpointConnectionError(endpoint_url="https://s3")


def test_given_shots_without_lengths_then_the_estimate_takes_them_as_even_parts() -> None:
    asked = request(model="holocine-14b-sparse", size="832x480", num_frames=241, num_inference_steps=50)
    shots = [ShotBody(prompt="she enters"), ShotBody(prompt="she sits"), ShotBody(prompt="she reads")]

    parts = work_of(asked.model_copy(update={"shots": tuple(shots)})).shot_frames

    assert parts == (80, 81, 80)
    spec = catalog.get(asked.model)
    whole = estimate.flops(spec, work_of(asked)).denoise_pf
    in_parts = estimate.flops(spec, work_of(asked.model_copy(update={"shots": tuple(shots)}))).denoise_pf
    assert in_parts < 0.8 * whole, "sparse attention is what the shots save"


def test_given_a_rank_that_no_gpu_of_the_fleet_holds_then_the_training_is_refused_by_that_field(
    fleet: FleetStore,
) -> None:
    admission = Admission(fleet=fleet, instance_types=("g5.12xlarge",), weights=published)
    spec = catalog.get("wan2.2-t2v-a14b")
    video = request(model=spec.id, size="832x480", num_frames=81, num_inference_steps=40)

    def training(rank: int) -> TrainingPlan:
        settings = settings_of(TrainingBody(rank=rank), spec, trigger="zxeva", seed=1)
        about = {"character_id": "character_1", "name": "Eva", "version": 1, "trigger": "zxeva", "lora": "eva"}
        return TrainingPlan(**about, references=(), settings=settings)

    with pytest.raises(RequestError, match="Rank 46 would fit") as refusal:
        admission(video, training(128))

    assert (refusal.value.param, refusal.value.code) == ("training.rank", "not_trainable")
    assert admission(video, training(46)).seconds > admission(video).seconds
