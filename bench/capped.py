"""Every model of the catalog in 22 GiB, as the placement says for an A10G: each phase's peak against its prediction.

A phase may reserve what was predicted of it and no more: it runs under a cap of just that, so that a prediction which
is too low fails here and not on an A10G.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import transformers

from bench import denoise, networks, pipeline
from bench.networks import CUDA
from bench.record import Row
from models import estimate, placement
from models.catalog import ModelSpec
from models.catalog.arch import TextEncoderArch
from models.common.residency import Places, Residency
from models.estimate import Work
from models.estimate.work import LatentGrid
from models.placement import Plan, memory
from models.speed.ceilings import Ceilings
from models.speed.host_copy import HostCopy
from models.speed.timing import median_s, seconds_of
from models.wan.decode import stream_decode

CAP_GIB = 22.0
MODELS = (
    "wan2.2-t2v-a14b",
    "wan2.2-ti2v-5b",
    "hunyuan-video",
    "cogvideox-5b",
    "mochi-1",
    "ltx-video",
)
FRAMES: dict[str, tuple[int | None, ...]] = {"holocine-14b": (81, 241)}
"""Frames to measure, where it is not the default alone."""

GIB = 2.0**30


def every_model(ceilings: Ceilings, add: Callable[[Row], None], models: tuple[str, ...] = MODELS) -> None:
    """Text, one forward and the decoding of each at its defaults, under the cap; one expert serves as both."""
    del ceilings
    for model_id in models:
        for frames in FRAMES.get(model_id, (None,)):
            try:
                _one(model_id, frames, add)
            except torch.OutOfMemoryError as error:
                note = f"out of memory under the cap: {str(error)[:120]}"
                add(Row(what=model_id, variant=f"{CAP_GIB:.0f} GiB", value=None, unit="GiB", note=note))
            _cap(None)
            networks.release()


def holocine(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """The same for HoloCine, at 81 and 241 frames: these take as long as several of the others."""
    every_model(ceilings, add, models=("holocine-14b",))


def _one(model_id: str, frames: int | None, add: Callable[[Row], None]) -> None:
    spec, work, grid = networks.work_of(model_id, frames=frames)
    plan = placement.plan(spec, work, estimate.slot("A10G", host_memory_gib=110.0))
    if not isinstance(plan, Plan):
        add(Row(what=model_id, variant="A10G", value=None, unit="GiB", note=plan.message))
        return
    what = f"{model_id} {work.width}x{work.height}x{work.num_frames}"
    _text(spec, what, plan, add)
    torch.manual_seed(1)
    network = networks.denoiser(model_id).to("cpu")
    vae = networks.vae(model_id, torch.float32 if plan.vae.dtype == "float32" else torch.bfloat16).to("cpu")
    networks.release()
    _cap(CAP_GIB)
    # One forward of each: compiling would take longer than all of them.
    chosen = replace(denoise.exact(model_id), compiled=False)
    places = Places(Residency.of(plan, CUDA), CUDA, chosen)
    places.settle(denoisers=[network], vae=vae)
    given = networks.inputs(model_id, grid)
    _begin("denoise", plan)
    forward = denoise.call_of(model_id, network, given)
    seconds = seconds_of(forward, CUDA)
    _add_peak(what, "denoise", plan, seconds, add)
    latents = torch.randn(1, spec.arch.vae.channels, grid.frames, grid.height, grid.width, device=CUDA, dtype=vae.dtype)
    _begin("decode", plan)
    places.summon(vae)
    with torch.no_grad():
        seconds = seconds_of(lambda: _decode(vae, latents, spec, grid, plan), CUDA)
    _add_peak(what, "decode", plan, seconds, add)


def _decode(vae: Any, latents: torch.Tensor, spec: ModelSpec, grid: LatentGrid, plan: Plan) -> None:
    """As the agent does it: Wan's autoencoder in the plan's strips, its chunks leaving one after the other. HoloCine is
    decoded in whole frames, as its plan counts; the tiles of its own that the agent takes in the exact tier need less.
    """
    if not spec.arch.vae.strips:
        vae.decode(latents, return_dict=False)
        return
    room_gib, itemsize = plan.decode_room_gib, vae.dtype.itemsize
    count = memory.strips(spec.arch.vae, grid, itemsize, room_gib) if plan.vae_tiling else 0
    for chunk in stream_decode(vae, latents, strips=count):
        chunk.cpu()


def _text(spec: ModelSpec, what: str, plan: Plan, add: Callable[[Row], None]) -> None:
    """The largest encoder of the model on its padded text; the others are small."""
    encoder = text_encoder(spec.arch.text[0]).to("cpu")
    networks.release()
    copy = HostCopy(encoder)
    _begin("text", plan)
    tokens = torch.randint(0, 1000, (1, spec.arch.text[0].tokens), device=CUDA)

    def encode() -> Any:
        copy.bring(CUDA)
        with torch.no_grad():
            return encoder(tokens)

    seconds = seconds_of(encode, CUDA)
    _add_peak(what, "text", plan, seconds, add)
    copy.leave()
    _cap(None)


def text_encoder(arch: TextEncoderArch) -> Any:
    """An encoder of this shape: UMT5 and T5 are alike but for their vocabulary, Llama has grouped keys."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        with CUDA:
            return _encoder(arch).eval()
    finally:
        torch.set_default_dtype(torch.float32)


def _encoder(arch: TextEncoderArch) -> Any:
    if arch.kv_heads != arch.heads:
        config = transformers.LlamaConfig(
            vocab_size=128320,
            hidden_size=arch.dim,
            intermediate_size=arch.ffn,
            num_hidden_layers=arch.layers,
            num_attention_heads=arch.heads,
            num_key_value_heads=arch.kv_heads,
        )
        return transformers.LlamaModel(config)
    shape: dict[str, Any] = {
        "d_model": arch.dim,
        "d_kv": arch.head_dim,
        "d_ff": arch.ffn,
        "num_layers": arch.layers,
        "num_heads": arch.heads,
        "feed_forward_proj": "gated-gelu",
    }
    if arch.parameters > 5e9:
        return transformers.UMT5EncoderModel(transformers.UMT5Config(vocab_size=256384, **shape))
    return transformers.T5EncoderModel(transformers.T5Config(vocab_size=32128, **shape))


def _cap(gib: float | None) -> None:
    if CUDA.type != "cuda":
        return
    total = torch.cuda.get_device_properties(CUDA).total_memory / GIB
    torch.cuda.set_per_process_memory_fraction(1.0 if gib is None else gib / total)


def _begin(phase: str, plan: Plan) -> None:
    """Forget the peaks so far, and cap the process at what the plan predicts of the phase."""
    networks.forget_peaks()
    _cap(plan.phases_gib[phase] - _absent_gib(phase, plan))


def _absent_gib(phase: str, plan: Plan) -> float:
    """Parts that the plan keeps on the GPU but a phase is measured without: their weights, or the blocks in transit."""
    parts = {"text": plan.text_encoder, "denoise": plan.denoiser, "decode": plan.vae}
    here = {"text"} if phase == "text" else {"denoise", "decode"}
    return sum(part.gpu_gib for name, part in parts.items() if name not in here and part.stays)


def _add_peak(what: str, phase: str, plan: Plan, seconds: float, add: Callable[[Row], None]) -> None:
    absent = _absent_gib(phase, plan)
    allocated = torch.cuda.max_memory_allocated() / GIB + absent
    reserved = torch.cuda.max_memory_reserved() / GIB + absent
    predicted = plan.phases_gib[phase]
    add(
        Row(
            what=f"{what} {phase}",
            variant=f"{plan.denoiser.mode}, {CAP_GIB:.0f} GiB",
            value=allocated,
            unit="GiB allocated",
            note=f"reserved {reserved:.1f}, predicted {predicted:.1f}: {allocated / predicted:.2f}; {seconds:.1f} s",
        )
    )


def streamed_against_resident(ceilings: Ceilings, add: Callable[[Row], None]) -> None:
    """A forward of Wan A14B 720p81, compiled: all on the GPU, and streamed through 22 GiB."""
    del ceilings
    spec, work, grid = networks.work_of("wan2.2-t2v-a14b", (1280, 720))
    torch.manual_seed(1)
    network = denoise.prepared(networks.denoiser("wan2.2-t2v-a14b"), pipeline.exact())
    given = networks.inputs("wan2.2-t2v-a14b", grid)
    run = denoise.call_of("wan2.2-t2v-a14b", network, given)
    outs: list[torch.Tensor] = []

    def kept() -> None:
        outs[:] = [run()]

    resident_s = median_s(kept, CUDA, warm_up=1, repeats=5)
    reference = outs[0].cpu()
    network.to("cpu")
    networks.release()
    _cap(CAP_GIB)
    slot = estimate.slot("A10G", host_memory_gib=110.0)
    plan = placement.plan(spec, Work(**vars(work)), slot)
    if not isinstance(plan, Plan):
        raise LookupError(plan.message)
    places = Places(Residency.of(plan, CUDA), CUDA)
    places.settle(denoisers=[network], vae=networks.vae("wan2.2-t2v-a14b", torch.float32))
    streamed_s = median_s(kept, CUDA, warm_up=1, repeats=5)
    same = torch.equal(outs[0].cpu(), reference)
    _add_peak("wan2.2-t2v-a14b 1280x720x81", "denoise", plan, streamed_s, add)
    add(
        Row(
            what="wan2.2-t2v-a14b 1280x720x81 forward",
            variant=f"{plan.denoiser.mode}, {CAP_GIB:.0f} GiB",
            value=streamed_s,
            unit="s/forward",
            repeats=5,
            speedup=resident_s / streamed_s,
            note=f"resident {resident_s:.3f} s, ratio {streamed_s / resident_s:.3f}; bit-identical: {same}",
        )
    )
    _cap(None)
