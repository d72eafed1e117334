"""Seconds, US$ and calibration as the fleet, the quotes and the simulator use them."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import catalog, estimate
from models.catalog import ModelSpec
from models.estimate import Calibration, Slot, Work

MODELS = catalog.all_models()
GPU_SLOTS = estimate.all_gpu_slots()
every_model = pytest.mark.parametrize("spec", MODELS, ids=[spec.id for spec in MODELS])


def resized(work: Work, **changes: object) -> Work:
    return replace(work, **changes)  # type: ignore[arg-type]


def test_given_the_brief_when_listing_slots_then_every_kind_and_count_is_there() -> None:
    names = {slot.name for slot in GPU_SLOTS}
    kinds = ("A10G", "L4", "L40S", "A100", "H100", "H200")
    assert names == {f"{kind}x{count}" for kind in kinds for count in (1, 2, 4, 8)}
    assert Slot.parse("CPUx2").is_cpu


@pytest.mark.parametrize("text", ["A10Gx3", "B300", "", "A10Gx0", "xA10G", "H100x16"])
def test_given_text_that_is_no_slot_when_parsed_then_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="A10G"):
        Slot.parse(text)


def test_given_an_instance_when_asked_for_a_slot_then_the_host_memory_is_its_share() -> None:
    half = estimate.OFFERS["g5.12xlarge"].slot(2)
    assert half.name == "A10Gx2"
    assert half.host_gib == pytest.approx(96.0)


def test_given_a_first_boot_benchmark_when_estimating_then_its_ceilings_are_used() -> None:
    spec = catalog.get("ltx-video")
    published = Slot.parse("A10G")
    slower = published.measured(matmul_tf_s=published.kind.matmul_tf_s / 2, load_gib_s=published.kind.load_gib_s / 4)
    before = estimate.estimate(spec, Work.default(spec), published, loaded=False)
    after = estimate.estimate(spec, Work.default(spec), slower, loaded=False)
    assert after.decode_s == pytest.approx(2 * before.decode_s)
    assert after.load_s == pytest.approx(4 * before.load_s)
    assert slower.name == published.name
    with pytest.raises(ValueError, match="greater than 0"):
        published.measured(matmul_tf_s=0, load_gib_s=1)


@every_model
def test_given_two_cpu_cores_when_estimating_then_the_seconds_are_positive_and_add_up(spec: ModelSpec) -> None:
    predicted = estimate.estimate(spec, Work.default(spec), Slot.parse("CPUx2"), booted=False, loaded=False)
    assert predicted.compute_s == pytest.approx(
        predicted.encode_s + predicted.denoise_s + predicted.decode_s + predicted.output_s
    )
    assert predicted.total_s == pytest.approx(predicted.boot_s + predicted.load_s + predicted.compute_s)
    assert min(predicted.boot_s, predicted.load_s, predicted.encode_s, predicted.denoise_s, predicted.decode_s) > 0


def test_given_the_mini_model_on_two_cores_when_estimating_then_it_takes_seconds() -> None:
    spec = catalog.get("wan-mini")
    assert 1 < estimate.estimate(spec, Work.default(spec), Slot.parse("CPUx2")).compute_s < 60


def test_given_the_measured_h200_when_estimating_then_a_forward_takes_what_was_measured() -> None:
    """Stock diffusers, one H200: 3.09 s a forward at 480p, 11.67 s at 720p; two forwards a step."""
    spec = catalog.get("wan2.2-t2v-a14b")
    small = estimate.estimate(spec, Work.default(spec), Slot.parse("H200"))
    large = estimate.estimate(spec, resized(Work.default(spec), width=1280, height=720), Slot.parse("H200"))
    assert small.step_s == pytest.approx(2 * 3.09, rel=0.05)
    assert large.step_s == pytest.approx(2 * 11.67, rel=0.05)


def test_given_a_price_when_estimating_then_the_cost_is_seconds_times_price_and_leaves_booting_out() -> None:
    spec = catalog.get("ltx-video")
    predicted = estimate.estimate(
        spec, Work.default(spec), Slot.parse("A10G"), usd_per_hour=3.6, loaded=False, booted=False
    )
    assert predicted.cost_usd == pytest.approx((predicted.total_s - predicted.boot_s) * 0.001)
    assert estimate.estimate(spec, Work.default(spec), Slot.parse("A10G")).cost_usd is None


def test_given_a_loaded_model_when_estimating_then_loading_and_booting_cost_nothing() -> None:
    spec = catalog.get("ltx-video")
    warm = estimate.estimate(spec, Work.default(spec), Slot.parse("A10G"))
    assert warm.load_s == warm.boot_s == 0


@given(st.sampled_from(MODELS), st.sampled_from(GPU_SLOTS), st.integers(1, 40), st.integers(1, 4))
def test_given_more_of_anything_when_counting_then_the_work_never_shrinks(
    spec: ModelSpec, slot: Slot, steps: int, more: int
) -> None:
    work = resized(Work.default(spec), num_inference_steps=steps)
    stride = spec.frame_rule.step * more
    sides = 64 * more
    larger = [
        resized(work, num_inference_steps=steps + more),
        resized(work, num_frames=work.num_frames + stride),
        resized(work, width=work.width + sides),
        resized(work, height=work.height + sides),
    ]
    base_pf = estimate.flops(spec, work).total_pf
    base_s = estimate.estimate(spec, work, slot).compute_s
    for bigger in larger:
        assert estimate.flops(spec, bigger).total_pf > base_pf
        assert estimate.estimate(spec, bigger, slot).compute_s > base_s


@given(st.sampled_from(MODELS), st.sampled_from(sorted(estimate.SLOT_KINDS)))
def test_given_more_gpus_when_estimating_then_the_video_is_never_later(spec: ModelSpec, kind: str) -> None:
    seconds = [
        estimate.estimate(spec, Work.default(spec), estimate.slot(kind, count)).compute_s for count in (1, 2, 4, 8)
    ]
    assert seconds == sorted(seconds, reverse=True)


def test_given_no_guidance_when_counting_then_the_steps_halve_except_where_guidance_is_an_input() -> None:
    wan, hunyuan = catalog.get("wan2.2-t2v-a14b"), catalog.get("hunyuan-video")
    for spec, share in ((wan, 0.5), (hunyuan, 1.0)):
        guided = estimate.flops(spec, Work.default(spec)).denoise_pf
        unguided = estimate.flops(spec, resized(Work.default(spec), guidance_scale=1.0)).denoise_pf
        assert unguided == pytest.approx(share * guided)


def test_given_shots_when_the_model_makes_them_one_by_one_then_the_work_is_their_sum() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    work = Work.default(spec)
    shots = estimate.flops(spec, resized(work, shot_frames=(81, 49))).total_pf
    one, other = (estimate.flops(spec, resized(work, num_frames=frames)).total_pf for frames in (81, 49))
    assert shots == pytest.approx(one + other)


def test_given_five_shots_when_attention_is_sparse_then_the_denoising_is_much_less_than_full() -> None:
    """241 frames in 5 shots: each of 95,160 tokens attends to its shot of about 19,000 and 5 frames of 1,560."""
    full, sparse = catalog.get("holocine-14b"), catalog.get("holocine-14b-sparse")
    work = resized(Work.default(full), shot_frames=(49, 48, 48, 48, 48))
    ratio = estimate.flops(full, work).denoise_pf / estimate.flops(sparse, work).denoise_pf
    tokens, frame, dim = 95_160, 1_560, 5_120
    shots = [13 * frame, 12 * frame, 12 * frame, 12 * frame, 12 * frame]
    saved = 4 * dim * (tokens**2 - sum(shot * (shot + 5 * frame) for shot in shots)) * 40 * 100
    assert ratio == pytest.approx(1 / (1 - saved / 1e15 / estimate.flops(full, work).denoise_pf))
    assert ratio > 1.8


def test_given_one_shot_when_attention_is_sparse_then_its_first_frame_is_counted_twice() -> None:
    full, sparse = catalog.get("holocine-14b"), catalog.get("holocine-14b-sparse")
    work = Work.default(full)
    assert estimate.flops(sparse, work).denoise_pf > estimate.flops(full, work).denoise_pf


def test_given_jobs_that_take_twice_as_long_when_observed_then_the_factor_goes_to_two() -> None:
    calibration = Calibration()
    for _ in range(40):
        calibration = calibration.observe("m", "A10Gx1", predicted_s=100, measured_s=200)
    assert calibration.factor("m", "A10Gx1") == pytest.approx(2.0, rel=0.05)
    assert calibration.factor("m", "H200x1") == 1.0


def test_given_wild_outliers_when_observed_then_the_factor_stays() -> None:
    noise = random.Random(7)
    calibration = Calibration()
    for number in range(60):
        wild = number % 3 == 0
        measured = 1e6 if wild else 100 * 1.5 * math.exp(noise.gauss(0, 0.05))
        calibration = calibration.observe("m", "A10Gx1", predicted_s=100, measured_s=measured)
    assert calibration.factor("m", "A10Gx1") == pytest.approx(1.5, rel=0.15)


def test_given_one_bad_first_job_when_observed_then_the_estimate_does_not_jump_all_the_way() -> None:
    calibration = Calibration().observe("m", "A10Gx1", predicted_s=100, measured_s=100_000)
    assert calibration.factor("m", "A10Gx1") < 3


def test_given_other_models_on_the_slot_when_one_is_new_then_it_takes_part_of_their_factor() -> None:
    calibration = Calibration()
    for _ in range(20):
        calibration = calibration.observe("known", "A10Gx1", predicted_s=100, measured_s=200)
    assert 1.2 < calibration.factor("new", "A10Gx1") < 2.0


def test_given_a_calibration_when_written_and_read_then_it_is_the_same_and_keeps_a_bounded_history() -> None:
    calibration = Calibration()
    for _ in range(500):
        calibration = calibration.observe("wan2.2-t2v-a14b", "A10Gx4", predicted_s=10, measured_s=11)
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration
    assert len(calibration.model_dump_json()) < 5_000


@pytest.mark.parametrize(("predicted", "measured"), [(0, 1), (1, 0), (-1, 1), (1, math.inf), (math.nan, 1)])
def test_given_seconds_that_cannot_be_when_observed_then_they_are_refused(predicted: float, measured: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        Calibration().observe("m", "A10Gx1", predicted_s=predicted, measured_s=measured)


def test_given_a_calibration_when_estimating_then_compute_scales_and_loading_does_not() -> None:
    spec = catalog.get("ltx-video")
    calibration = Calibration()
    for _ in range(200):
        calibration = calibration.observe(spec.id, "A10Gx1", predicted_s=100, measured_s=300)
    plain = estimate.estimate(spec, Work.default(spec), Slot.parse("A10G"), loaded=False)
    taught = estimate.estimate(spec, Work.default(spec), Slot.parse("A10G"), loaded=False, calibration=calibration)
    assert taught.denoise_s == pytest.approx(3 * plain.denoise_s, rel=0.05)
    assert taught.load_s == plain.load_s
