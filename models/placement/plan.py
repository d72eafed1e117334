"""Where each part of a model lies while a request runs."""

from typing import Literal, NamedTuple

from models.estimate import Layout, Work

Mode = Literal["resident", "on-demand", "streamed"]
Dtype = Literal["bfloat16", "float32", "int8", "float8"]
Tier = Literal["exact", "fast"]


def shares_first_block(denoiser: Mode, layout: Layout) -> bool:
    """Whether two guidance passes share what they can (`models.speed.first_block`): where memory is not what is short,
    and one process makes both."""
    return denoiser == "resident" and layout.gpus == 1


class PartPlan(NamedTuple):
    """One part of the model.

    ``resident`` stays on the GPU from job to job; ``on-demand`` is copied there whole for its phase and leaves it
    afterwards (of two experts, where ``gpu_gib`` is half of ``total_gib``, the one at work); ``streamed`` passes
    through block by block, the next one copied while one computes. ``gpu_gib`` is what it takes of one GPU during its
    phase, ``total_gib`` what all of it takes, wherever it lies.
    """

    mode: Mode
    dtype: Dtype
    gpu_gib: float
    total_gib: float

    @property
    def stays(self) -> bool:
        """Whether `gpu_gib` lies on the GPU in the other parts' phases too: a streamed part never gives up the memory
        that its blocks pass through."""
        return self.mode in ("resident", "streamed")


class Plan(NamedTuple):
    """How to run a request on a slot.

    ``dtype`` is that of the denoiser's arithmetic. ``vae_tiling``: decode in pieces, strips where ``decode_room_gib``
    (beside the weights that stay) holds them and the family knows them, else the class's spatial tiles. ``phases_gib``
    are the predicted peaks of one GPU (of the host on a CPU slot) by phase, ``predicted_peak_gib`` the largest.
    ``host_gib`` is the most that the slot's processes, one a GPU, hold in host memory. At work that is every part that
    is not resident, or, where ``stream_from_disk``, only the text encoder on its way and the blocks on theirs, because
    the host could not hold the denoiser. While loading it is one denoiser in full precision beside what has been taken
    to its place. ``tier`` is the one that was asked for.
    """

    dtype: Dtype
    text_encoder: PartPlan
    denoiser: PartPlan
    vae: PartPlan
    vae_tiling: bool
    decode_room_gib: float
    layout: Layout
    phases_gib: dict[str, float]
    predicted_peak_gib: float
    host_gib: float
    stream_from_disk: bool
    tier: Tier = "exact"


class Refusal(NamedTuple):
    """No plan: why, and what is nearest that would have one. ``nearest_slot`` runs the same work; ``nearest_work`` is
    the largest on this slot with fewer frames or a smaller named size. ``message`` says all of it in a sentence."""

    code: Literal["gpu_memory", "host_memory", "too_slow"]
    reason: str
    nearest_slot: str | None
    nearest_work: Work | None

    @property
    def message(self) -> str:
        options = []
        if self.nearest_work is not None:
            work = self.nearest_work
            options.append(f"{work.width}x{work.height} with {work.num_frames} frames here")
        if self.nearest_slot is not None:
            options.append(f"this request on {self.nearest_slot}")
        return f"{self.reason} {'; or '.join(options) or 'Nothing known'} would fit."
