"""Which plan a request gets on a slot, for every model and slot, and what holds of all plans."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import catalog, estimate, placement
from models.catalog import ModelSpec
from models.estimate import Slot, Work
from models.estimate.work import latent_grid
from models.placement import Plan, Refusal, memory

MODELS = catalog.all_models()
FULL_SIZE = tuple(spec for spec in MODELS if not spec.embedded)
EMBEDDED = tuple(spec for spec in MODELS if spec.embedded)
GPU_SLOTS = estimate.all_gpu_slots()
PROCESS_CAP_GIB = 22.0

every_model = pytest.mark.parametrize("spec", MODELS, ids=[spec.id for spec in MODELS])
every_gpu_slot = pytest.mark.parametrize("slot", GPU_SLOTS, ids=[slot.name for slot in GPU_SLOTS])


def planned(spec: ModelSpec, work: Work, slot: str | Slot, **options: str) -> Plan:
    found = placement.plan(spec, work, Slot.parse(slot) if isinstance(slot, str) else slot, **options)  # type: ignore[arg-type]
    assert isinstance(found, Plan), found
    return found


def refused(spec: ModelSpec, work: Work, slot: str) -> Refusal:
    found = placement.plan(spec, work, Slot.parse(slot))
    assert isinstance(found, Refusal), found
    return found


@every_gpu_slot
@every_model
def test_given_a_model_at_its_defaults_when_placed_on_any_gpu_slot_then_it_fits(spec: ModelSpec, slot: Slot) -> None:
    plan = planned(spec, Work.default(spec), slot)
    assert plan.predicted_peak_gib == max(plan.phases_gib.values())
    assert plan.predicted_peak_gib <= slot.kind.memory_gib
    assert plan.host_gib <= slot.host_gib
    assert plan.layout.gpus <= slot.count
    assert plan.denoiser.dtype == "bfloat16"


@every_model
@pytest.mark.parametrize("kind", ["A10G", "L4"])
def test_given_a_24_gb_card_when_placed_then_the_peak_stays_under_the_22_gib_cap(spec: ModelSpec, kind: str) -> None:
    assert planned(spec, Work.default(spec), kind).predicted_peak_gib <= PROCESS_CAP_GIB


@pytest.mark.parametrize("model_id", ["holocine-14b", "holocine-14b-sparse"])
@pytest.mark.parametrize("num_frames", [81, 241])
def test_given_holocine_on_a_24_gb_card_when_placed_then_both_lengths_fit(model_id: str, num_frames: int) -> None:
    spec = catalog.get(model_id)
    plan = planned(spec, replace(Work.default(spec), num_frames=num_frames), "A10G")
    assert plan.predicted_peak_gib <= PROCESS_CAP_GIB


@pytest.mark.parametrize(
    ("slot", "text", "denoiser", "vae"),
    [
        ("A10G", "on-demand", "streamed", "on-demand"),
        ("L40S", "on-demand", "on-demand", "on-demand"),
        ("H100", "resident", "resident", "resident"),
        ("H200", "resident", "resident", "resident"),
    ],
)
def test_given_a14b_when_the_card_grows_then_more_of_it_stays_on_the_gpu(
    slot: str, text: str, denoiser: str, vae: str
) -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    plan = planned(spec, Work.default(spec), slot)
    assert (plan.text_encoder.mode, plan.denoiser.mode, plan.vae.mode) == (text, denoiser, vae)
    # Two experts of 26.6 GiB in bf16, wherever they lie.
    assert plan.denoiser.total_gib == pytest.approx(2 * 26.6, rel=0.01)


def test_given_an_expert_that_streams_when_the_host_cannot_hold_all_then_it_streams_from_disk() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    work = Work.default(spec)
    # Two experts of 26.6 GiB and the text encoder's 10.6 do not fit a quarter of a g5.12xlarge.
    quarter = planned(spec, work, estimate.OFFERS["g5.12xlarge"].slot(1))
    roomy = planned(spec, work, estimate.slot("A10G", 1, host_memory_gib=96.0))
    assert quarter.stream_from_disk
    assert 26.6 < quarter.host_gib < 26.6 + 5, "one expert at a time while loading"
    assert not roomy.stream_from_disk
    assert roomy.host_gib > 2 * 26.6 + 10.6


@pytest.mark.parametrize(
    ("tier", "settled_gib", "quantised_gib"), [("exact", 0.0, 0.0), ("fast", 13.4, 26.8)], ids=["from disk", "int8"]
)
@pytest.mark.parametrize("model_id", ["wan2.2-t2v-a14b", "wan2.2-t2v-a14b-4step"])
def test_given_two_experts_when_placed_then_the_second_ones_loading_is_counted_and_four_slots_fit_an_instance(
    model_id: str, tier: str, settled_gib: float, quantised_gib: float
) -> None:
    spec, instance = catalog.get(model_id), estimate.OFFERS["g5.12xlarge"]
    plan = planned(spec, Work.default(spec), instance.slot(1), tier=tier)
    # The first one where it belongs, the second whole in bf16.
    assert plan.host_gib >= settled_gib + 26.6
    assert plan.host_gib >= quantised_gib
    assert 4 * plan.host_gib <= instance.host_gib


def test_given_denoisers_that_stay_on_the_gpu_when_placed_then_reading_one_takes_host_memory_too() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    assert planned(spec, Work.default(spec), "H200", tier="fast").host_gib > 26.6


def test_given_several_gpus_when_placed_then_each_process_has_its_own_host_copy() -> None:
    spec = catalog.get("cogvideox-5b")
    one, two = (planned(spec, Work.default(spec), slot).host_gib for slot in ("A10G", "A10Gx2"))
    assert two == pytest.approx(2 * one)


def test_given_a_host_too_small_for_the_text_encoder_when_placed_then_it_is_refused_for_its_memory() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    found = placement.plan(spec, Work.default(spec), estimate.slot("A10G", 1, host_memory_gib=12.0))
    assert isinstance(found, Refusal)
    assert found.code == "host_memory"
    assert "needs 30.6 GiB of host memory" in found.reason, "to read an expert, which then streams from the disk"
    assert found.nearest_slot is not None


def test_given_the_fast_tier_when_the_card_can_quantise_then_the_expert_is_whole_and_not_streamed() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    plan = planned(spec, Work.default(spec), "A10G", tier="fast")
    assert (plan.denoiser.mode, plan.denoiser.dtype) == ("on-demand", "int8")
    assert plan.denoiser.gpu_gib == pytest.approx(13.4, rel=0.01)
    assert planned(spec, Work.default(spec), "L40S", tier="fast").denoiser.dtype == "float8"
    assert planned(spec, Work.default(spec), "A100", tier="fast").denoiser.dtype == "int8"


@pytest.mark.parametrize(
    ("model_id", "slot", "layout"),
    [
        ("wan2.2-t2v-a14b", "A10Gx2", (2, 1)),
        ("wan2.2-t2v-a14b", "A10Gx4", (2, 2)),
        ("wan2.2-t2v-a14b", "H100x8", (2, 4)),
        ("cogvideox-5b", "A10Gx4", (2, 1)),
        ("hunyuan-video", "A10Gx4", (1, 1)),
        ("holocine-14b", "H200x4", (2, 1)),
    ],
)
def test_given_several_gpus_when_placed_then_guidance_splits_first_and_heads_where_the_class_can(
    model_id: str, slot: str, layout: tuple[int, int]
) -> None:
    spec = catalog.get(model_id)
    assert tuple(planned(spec, Work.default(spec), slot).layout) == layout


def test_given_no_guidance_when_placed_on_several_gpus_then_only_heads_are_split() -> None:
    spec = catalog.get("wan2.2-t2v-a14b")
    assert tuple(planned(spec, replace(Work.default(spec), guidance_scale=1.0), "A10Gx4").layout) == (1, 4)


@pytest.mark.parametrize("spec", EMBEDDED, ids=[spec.id for spec in EMBEDDED])
def test_given_a_shipped_model_when_placed_on_a_small_cpu_then_it_runs_in_float32(spec: ModelSpec) -> None:
    plan = planned(spec, Work.default(spec), "CPUx2")
    assert plan.dtype == "float32"
    assert plan.host_gib <= 8


@pytest.mark.parametrize("spec", FULL_SIZE, ids=[spec.id for spec in FULL_SIZE])
def test_given_a_full_size_model_when_placed_on_a_cpu_then_it_is_refused_with_a_slot_that_fits(spec: ModelSpec) -> None:
    refusal = refused(spec, Work.default(spec), "CPUx2")
    assert refusal.code == "too_slow"
    assert refusal.nearest_slot is not None
    assert refusal.nearest_slot in refusal.message
    planned(spec, Work.default(spec), refusal.nearest_slot)


def test_given_a_video_too_large_for_the_card_when_placed_then_the_refusal_names_what_would_fit() -> None:
    spec = catalog.get("holocine-14b")
    work = replace(Work.default(spec), width=1280, height=720)
    refusal = refused(spec, work, "L4")
    assert refusal.code == "gpu_memory"
    assert "L4x1" in refusal.reason
    assert refusal.nearest_slot is not None
    planned(spec, work, refusal.nearest_slot)
    assert refusal.nearest_work is not None
    assert spec.frame_rule.admits(refusal.nearest_work.num_frames)
    planned(spec, refusal.nearest_work, "L4")
    assert str(refusal.nearest_work.num_frames) in refusal.message


def test_given_a_small_card_when_the_vae_would_not_fit_whole_then_it_is_tiled() -> None:
    spec = catalog.get("mochi-1")
    assert planned(spec, Work.default(spec), "A10G").vae_tiling
    assert not planned(spec, Work.default(spec), "H200").vae_tiling


def test_given_whole_frames_that_do_not_fit_when_placed_then_wan_is_decoded_in_strips_that_do() -> None:
    spec = catalog.get("wan2.2-ti2v-5b")
    work = Work.default(spec)
    plan = planned(spec, work, "A10G")
    grid = latent_grid(spec, work, work.num_frames)
    assert plan.vae_tiling
    assert memory.strips(spec.arch.vae, grid, 4, plan.decode_room_gib) == 2
    assert memory.strips(spec.arch.vae, grid, 4, plan.decode_room_gib * 0.7) > 2
    assert memory.strips(spec.arch.vae, grid, 4, 0.0) == 0, "then in the class's tiles"
    assert plan.phases_gib["decode"] <= PROCESS_CAP_GIB


@given(st.sampled_from(FULL_SIZE), st.sampled_from(["A10G", "L4", "L40S", "A100", "H100", "H200"]), st.data())
def test_given_a_plan_when_the_video_gets_shorter_then_there_is_still_a_plan(
    spec: ModelSpec, slot: str, data: st.DataObject
) -> None:
    rule = spec.frame_rule
    counts = st.integers(0, (rule.max - rule.min) // rule.step).map(lambda k: rule.min + k * rule.step)
    short, long = sorted((data.draw(counts), data.draw(counts)))
    size = data.draw(st.sampled_from(spec.sizes))
    work = replace(Work.default(spec), width=size.width, height=size.height, num_frames=long)
    if placement.fits(spec, work, Slot.parse(slot)):
        assert placement.fits(spec, replace(work, num_frames=short), Slot.parse(slot))


@given(st.sampled_from(MODELS), st.data())
def test_given_a_plan_when_the_card_has_more_memory_then_there_is_still_a_plan(
    spec: ModelSpec, data: st.DataObject
) -> None:
    size = data.draw(st.sampled_from(spec.sizes))
    work = replace(Work.default(spec), width=size.width, height=size.height, num_frames=spec.frame_rule.max)
    by_memory = sorted(("A10G", "L4", "L40S", "A100", "H100", "H200"), key=lambda k: estimate.SLOT_KINDS[k].memory_gib)
    fits = [placement.fits(spec, work, Slot.parse(kind)) for kind in by_memory]
    assert fits == sorted(fits)


@given(st.sampled_from(FULL_SIZE), st.sampled_from(GPU_SLOTS), st.sampled_from(["exact", "fast"]), st.data())
def test_given_any_valid_request_when_placed_then_a_plan_fits_and_a_refusal_offers_something_that_does(
    spec: ModelSpec, slot: Slot, tier: str, data: st.DataObject
) -> None:
    size = data.draw(st.sampled_from(spec.sizes))
    work = replace(Work.default(spec), width=size.width, height=size.height, num_frames=spec.frame_rule.max)
    found = placement.plan(spec, work, slot, tier=tier)  # type: ignore[arg-type]
    if isinstance(found, Plan):
        assert found.predicted_peak_gib <= slot.kind.memory_gib
        assert found.host_gib <= slot.host_gib
        assert not (found.denoiser.mode == "streamed" and found.denoiser.dtype != "bfloat16")
        assert tier == "fast" or found.denoiser.dtype == "bfloat16"
    else:
        assert found.nearest_slot is not None or found.nearest_work is not None
