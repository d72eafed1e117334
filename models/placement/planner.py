"""Which plan fits: the most of the model kept on the GPU that leaves room for the work."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from models.catalog import ModelSpec
from models.estimate import Slot, Work, all_gpu_slots, estimate, layout
from models.placement import memory
from models.placement.plan import Dtype, Mode, PartPlan, Plan, Refusal, Tier, shares_first_block

# What a process cannot use of a GPU: CUDA context, cuDNN and cuBLAS workspaces. An A10G's 22.35 GiB leave 21.5.
_GPU_RESERVE_GIB = 0.85
# Room over the counted peak for the allocator's rounding and fragments, and for LoRAs.
_MARGIN = 1.05
# Python, torch, CUDA's host side and frames on their way to the encoder, and pinned staging buffers.
_HOST_BASE_GIB = 3.0
# Host copies of the blocks under way, where a denoiser streams from the local disk: read, pinned and copied.
_DISK_STAGING = 2.0
# While a network is read: numbers that the files have in another precision, in both
# (`models.speed.fast_load.CONVERTED_BYTES`). The readers' buffers are the base's.
_READING_GIB = 0.5
# On a CPU, a job that would take longer than this is refused: nobody means it.
_LONGEST_CPU_S = 6 * 3600.0


class _Option(NamedTuple):
    text: Mode
    denoiser: Mode
    vae: Mode
    all_experts: bool
    tiling: bool
    from_disk: bool = False


def _options(spec: ModelSpec) -> Iterator[_Option]:
    """From the fastest to the one that needs least. Tiling costs less than streaming, streaming less than nothing
    fitting at all."""
    several = spec.arch.experts > 1
    kept: list[tuple[Mode, Mode, Mode, bool]] = [
        ("resident", "resident", "resident", True),
        ("on-demand", "resident", "resident", True),
    ]
    kept += [("on-demand", "on-demand", "on-demand", True)] if several else []
    kept += [("on-demand", "on-demand", "on-demand", False), ("on-demand", "streamed", "on-demand", False)]
    for text, denoiser, vae, all_experts in kept:
        for tiling in (False, True):
            yield _Option(text, denoiser, vae, all_experts, tiling)
            if denoiser == "streamed":
                yield _Option(text, denoiser, vae, all_experts, tiling, from_disk=True)


def plan(spec: ModelSpec, work: Work, slot: Slot, *, tier: Tier = "exact") -> Plan | Refusal:
    """Where the parts lie when ``work`` runs on ``slot``, or why it cannot.

    ``tier`` "fast" lets the denoiser be quantised where the slot's kind can compute so; "exact" never does.
    """
    if slot.is_cpu:
        return _cpu_plan(spec, work, slot)
    tried = [_gpu_plan(spec, work, slot, option, tier) for option in _options(spec)]
    fitting = [
        candidate for candidate in tried if candidate.predicted_peak_gib <= slot.kind.memory_gib - _GPU_RESERVE_GIB
    ]
    within_host = [candidate for candidate in fitting if candidate.host_gib <= slot.host_gib]
    if within_host:
        return within_host[0]
    if tier == "fast" and _denoiser_dtype(slot, tier) != "bfloat16":
        # Not even quantised does it fit whole; in bf16 it can be streamed.
        exact = plan(spec, work, slot, tier="exact")
        return exact._replace(tier=tier) if isinstance(exact, Plan) else exact
    return _refusal(spec, work, slot, tried, fitting)


def fits(spec: ModelSpec, work: Work, slot: Slot, *, tier: Tier = "exact") -> bool:
    return isinstance(plan(spec, work, slot, tier=tier), Plan)


def _denoiser_dtype(slot: Slot, tier: Tier) -> Dtype:
    if tier == "exact":
        return "bfloat16"
    if slot.kind.fp8:
        return "float8"
    return "int8" if slot.kind.int8 else "bfloat16"


def _gpu_plan(spec: ModelSpec, work: Work, slot: Slot, option: _Option, tier: Tier) -> Plan:
    dtype = _denoiser_dtype(slot, tier)
    quantised = dtype in ("int8", "float8")
    mode: Mode = "on-demand" if quantised and option.denoiser == "streamed" else option.denoiser
    expert = memory.expert_gib(spec, 2, quantised=quantised)
    experts = spec.arch.experts * expert
    on_gpu = experts if option.all_experts else expert
    vae_bytes = _vae_bytes(spec, tier)
    vae = memory.vae_gib(spec, vae_bytes)
    parts = {
        "text": PartPlan(option.text, "bfloat16", memory.text_gib(spec, 2), memory.text_gib(spec, 2)),
        "denoise": PartPlan(mode, dtype, memory.streamed_gib(spec, 2) if mode == "streamed" else on_gpu, experts),
        "decode": PartPlan(option.vae, "float32" if vae_bytes == 4 else "bfloat16", vae, vae),
    }
    split = layout(spec, work, slot.count)
    room_gib = (slot.kind.memory_gib - _GPU_RESERVE_GIB) / _MARGIN - _on_gpu_gib(parts, "decode")
    activations = {
        "text": memory.TEXT_ACTIVATIONS_GIB,
        "denoise": memory.denoise_gib(spec, work, split, 2),
        "decode": memory.decode_gib(spec, work, vae_bytes, tiled=option.tiling, room_gib=room_gib),
    }
    if shares_first_block(mode, split):
        activations["denoise"] += memory.shared_gib(spec, work)
    phases = {name: _MARGIN * (_on_gpu_gib(parts, name) + needed) for name, needed in activations.items()}
    from_disk = option.from_disk and mode == "streamed"
    held = {name: part.total_gib for name, part in parts.items() if part.mode != "resident"}
    if from_disk:
        held["denoise"] = _DISK_STAGING * memory.streamed_gib(spec, 2)
    return Plan(
        dtype="bfloat16",
        text_encoder=parts["text"],
        denoiser=parts["denoise"],
        vae=parts["decode"],
        vae_tiling=option.tiling,
        decode_room_gib=room_gib,
        layout=split,
        phases_gib=phases,
        predicted_peak_gib=max(phases.values()),
        # One process a GPU, each with copies of its own.
        host_gib=split.gpus * (_HOST_BASE_GIB + max(sum(held.values()), _loading_gib(spec, parts, held, from_disk))),
        stream_from_disk=from_disk,
        tier=tier,
    )


def _loading_gib(spec: ModelSpec, parts: dict[str, PartPlan], held: dict[str, float], from_disk: bool) -> float:
    """The most of the host while the networks are read: denoisers come one after the other (`models.common.pipelines`),
    each whole in bf16 before it goes to the GPU or the disk, or is quantised. A family's own reader takes this way even
    where the quick one reads onto the GPU."""
    denoiser = parts["denoise"]
    stay_on_host = denoiser.mode != "resident" and not from_disk
    settled = denoiser.total_gib * (1 - 1 / spec.arch.experts) if stay_on_host else 0.0
    # Before denoisers that are to be quantised the text encoder leaves the host, too.
    text = held.get("text", 0.0) if denoiser.dtype == "bfloat16" and not from_disk else 0.0
    beside = settled + text + held.get("decode", 0.0)
    return _READING_GIB + max(parts["text"].total_gib, beside + memory.expert_gib(spec, 2))


def _on_gpu_gib(parts: dict[str, PartPlan], phase: str) -> float:
    """Weights that lie there in a phase: its own part's, and those that stay."""
    return sum(part.gpu_gib for name, part in parts.items() if name == phase or part.stays)


def _vae_bytes(spec: ModelSpec, tier: Tier) -> int:
    """Bytes of a number while decoding on a GPU: the fast tier decodes in half precision."""
    return 2 if tier == "fast" else spec.arch.vae.weight_bytes


def _cpu_plan(spec: ModelSpec, work: Work, slot: Slot) -> Plan | Refusal:
    """Everything in host memory in float32; the text encoder goes before the denoiser comes."""
    seconds = estimate(spec, work, slot).compute_s
    if seconds > _LONGEST_CPU_S:
        reason = f"{spec.id} would take about {seconds / 3600:.0f} hours on {slot.name}."
        return Refusal("too_slow", reason, _nearest_slot(spec, work, slot), None)
    experts = spec.arch.experts * memory.expert_gib(spec, 4)
    parts = {
        "text": PartPlan("resident", "float32", memory.text_gib(spec, 4), memory.text_gib(spec, 4)),
        "denoise": PartPlan("resident", "float32", experts, experts),
        "decode": PartPlan("resident", "float32", memory.vae_gib(spec, 4), memory.vae_gib(spec, 4)),
    }
    split = layout(spec, work, 1)
    activations = {
        "text": memory.TEXT_ACTIVATIONS_GIB,
        "denoise": memory.denoise_gib(spec, work, split, 4) + 2 * memory.shared_gib(spec, work),
        "decode": memory.decode_gib(spec, work, 4, tiled=False),
    }
    phases = {name: _MARGIN * (_on_gpu_gib(parts, name) + needed) for name, needed in activations.items()}
    peak = max(phases.values())
    if _HOST_BASE_GIB + peak > slot.host_gib:
        reason = f"{spec.id} needs {_HOST_BASE_GIB + peak:.1f} GiB of host memory; {slot.name} has {slot.host_gib:.1f}."
        return Refusal("host_memory", reason, _nearest_slot(spec, work, slot), _nearest_work(spec, work, slot))
    return Plan(
        dtype="float32",
        text_encoder=parts["text"],
        denoiser=parts["denoise"],
        vae=parts["decode"],
        vae_tiling=False,
        decode_room_gib=0.0,
        layout=split,
        phases_gib=phases,
        predicted_peak_gib=peak,
        host_gib=_HOST_BASE_GIB + peak,
        stream_from_disk=False,
    )


def _refusal(spec: ModelSpec, work: Work, slot: Slot, tried: list[Plan], fitting: list[Plan]) -> Refusal:
    if fitting:
        needed = min(candidate.host_gib for candidate in fitting)
        reason = f"{spec.id} needs {needed:.1f} GiB of host memory on {slot.name}, which has {slot.host_gib:.1f}."
        return Refusal("host_memory", reason, _nearest_slot(spec, work, slot), None)
    least = min(tried, key=lambda candidate: candidate.predicted_peak_gib)
    phase = max(least.phases_gib, key=lambda name: least.phases_gib[name])
    reason = (
        f"{spec.id} at {work.width}x{work.height} with {work.num_frames} frames needs "
        f"{least.predicted_peak_gib:.1f} GiB on each GPU to {phase}; {slot.name} has "
        f"{slot.kind.memory_gib - _GPU_RESERVE_GIB:.1f}."
    )
    return Refusal("gpu_memory", reason, _nearest_slot(spec, work, slot), _nearest_work(spec, work, slot))


def _nearest_slot(spec: ModelSpec, work: Work, slot: Slot) -> str | None:
    """The smallest slot that fits: fewest GPUs, then least memory."""
    larger = sorted(all_gpu_slots(), key=lambda other: (other.count, other.kind.memory_gib))
    fitting = (other for other in larger if other != slot and _fits_somehow(spec, work, other))
    return next((other.name for other in fitting), None)


def _nearest_work(spec: ModelSpec, work: Work, slot: Slot) -> Work | None:
    """The most frames at this size that fit, else the largest smaller named size with them."""
    rule = spec.frame_rule
    counts = [count for count in range(work.num_frames, rule.min - 1, -1) if rule.admits(count)]
    sizes = sorted(
        (size for size in spec.sizes if size.pixels < work.width * work.height), key=lambda size: -size.pixels
    )
    smaller = [replace(work, num_frames=count) for count in counts]
    smaller += [replace(work, width=size.width, height=size.height) for size in sizes]
    return next((candidate for candidate in smaller if _fits_somehow(spec, candidate, slot)), None)


def _fits_somehow(spec: ModelSpec, work: Work, slot: Slot) -> bool:
    limit = slot.kind.memory_gib - _GPU_RESERVE_GIB
    candidates = (_gpu_plan(spec, work, slot, option, "exact") for option in _options(spec))
    return any(each.predicted_peak_gib <= limit and each.host_gib <= slot.host_gib for each in candidates)
