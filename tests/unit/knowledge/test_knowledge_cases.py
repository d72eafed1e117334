"""One request on one instance: the money follows from the project's own estimate and placement."""

import pytest

from knowledge.cases import Case, NoFit, case, equal_shots, running_of, scenario_case
from knowledge.data import Knowledge
from knowledge.load import load
from knowledge.own_case import Answer, Question, all_models, ask
from models import catalog, estimate


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return load()


def wan(known: Knowledge, instance: str = "g5.12xlarge", **changes: object) -> Case:
    found = case("wan2.2-t2v-a14b", known.instance(instance), running_of(known.assumptions), **changes)  # type: ignore[arg-type]
    assert isinstance(found, Case)
    return found


def test_given_a_request_when_costed_then_its_seconds_are_the_estimate_s(known: Knowledge) -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    slot = estimate.slot("A10G", host_memory_gib=48.0)
    found = wan(known)
    assert found.compute_s == pytest.approx(estimate.estimate(spec, estimate.Work.default(spec), slot).compute_s)
    assert found.slots == 4
    assert found.cost.ideal_usd == pytest.approx(found.price_usd_h * found.compute_s / 3600 / 4)


def test_given_half_the_steps_when_costed_then_denoising_takes_half(known: Knowledge) -> None:
    assert wan(known, steps=20).denoise_s == pytest.approx(wan(known, steps=40).denoise_s / 2)


def test_given_guidance_of_one_when_costed_then_denoising_takes_about_half(known: Knowledge) -> None:
    assert wan(known, guidance=1.0).denoise_s == pytest.approx(wan(known).denoise_s / 2, rel=0.01)


def test_given_another_price_when_costed_then_the_cost_scales_with_it(known: Knowledge) -> None:
    assert wan(known, price_usd_h=4.0).cost.ideal_usd == pytest.approx(2 * wan(known, price_usd_h=2.0).cost.ideal_usd)


def test_given_81_frames_at_16_a_second_when_costed_then_the_video_lasts_five_seconds(known: Knowledge) -> None:
    assert wan(known).video_s == pytest.approx(5.0)


def test_given_the_sparse_variant_when_a_scene_has_shots_then_it_is_cheaper_than_the_full_one(known: Knowledge) -> None:
    instance = known.instance("g6e.12xlarge")
    full, sparse = (
        scenario_case(known, known.scenario(name), instance) for name in ("holocine-15s", "holocine-15s-esparso")
    )
    assert isinstance(full, Case)
    assert isinstance(sparse, Case)
    assert sparse.cost.usd < 0.6 * full.cost.usd


@pytest.mark.parametrize(("frames", "shots"), [(241, 5), (81, 1), (10, 3)])
def test_given_a_scene_when_cut_evenly_then_no_frame_is_lost(frames: int, shots: int) -> None:
    parts = equal_shots(frames, shots)
    assert sum(parts) == frames
    assert len(parts) == shots
    assert max(parts) - min(parts) <= 1


def test_given_a_size_the_model_does_not_make_when_costed_then_the_catalog_refuses(known: Knowledge) -> None:
    with pytest.raises(catalog.SpecViolation):
        wan(known, size="833x480")


def test_given_a_host_too_small_for_any_plan_when_costed_then_the_reason_is_told(known: Knowledge) -> None:
    instance = known.instance("g5.12xlarge")
    small = instance.model_copy(update={"host_gib": instance.host_gib.model_copy(update={"value": 2.0})})
    found = case("wan2.2-t2v-a14b", small, running_of(known.assumptions))
    assert isinstance(found, NoFit)
    assert found.reason


def test_given_the_old_claim_when_put_to_the_arithmetic_then_it_holds_for_wan_at_480p_and_not_at_720p(
    known: Knowledge,
) -> None:
    """US$ 0.28 to 0.42 a video, 4 to 6 videos an hour on a g5.12xlarge, at its own Spot price and no idle time."""
    claim = known.old_claim
    small = wan(known, price_usd_h=claim.spot_usd_h.value).cost
    assert claim.min_usd.value <= small.ideal_usd <= claim.max_usd.value
    assert claim.min_videos_h.value <= small.ideal_videos_h <= claim.max_videos_h.value
    large = wan(known, size="1280x720", price_usd_h=claim.spot_usd_h.value).cost
    assert large.ideal_usd > 2 * claim.max_usd.value


def test_given_a_question_with_a_volume_when_asked_then_month_and_services_are_answered(known: Knowledge) -> None:
    answer = ask(known, "wan2.2-t2v-a14b", Question(instance="g6e.12xlarge", volume_a_month=1000))
    assert isinstance(answer, Answer)
    assert answer.volume is not None
    assert answer.volume.usd_month == pytest.approx(1000 * answer.case.cost.usd + answer.fixed_usd_month)
    assert {against.service for against in answer.services} == {service.id for service in known.services}


def test_given_the_on_demand_price_when_asked_then_it_is_used_unless_a_price_is_given(known: Knowledge) -> None:
    by_demand = ask(known, "ltx-video", Question(instance="g5.12xlarge", on_demand=True))
    given = ask(known, "ltx-video", Question(instance="g5.12xlarge", on_demand=True, price_usd_h=1.0))
    assert isinstance(by_demand, Answer)
    assert isinstance(given, Answer)
    assert by_demand.case.price_usd_h == known.instance("g5.12xlarge").on_demand_usd_h.value
    assert given.case.price_usd_h == 1.0


def test_given_all_models_when_asked_then_the_shipped_small_ones_are_left_out(known: Knowledge) -> None:
    answers = all_models(known, Question(instance="g5.12xlarge"))
    names = {answer.case.model if isinstance(answer, Answer) else answer.model for answer in answers}
    assert names == {spec.id for spec in catalog.all_models() if not spec.embedded}
