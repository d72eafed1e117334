"""HoloCine as a `VideoModel`."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from models.common.engine import DiffusersVideoModel
from models.holocine.sequence import sequence_request
from models.interface import Checkpoint, GenerationRequest, Phase, Step

if TYPE_CHECKING:
    from models.interface import Frame


class HoloCineVideoModel(DiffusersVideoModel):
    """The common engine, given all shots of a request as one generation."""

    def generate(
        self,
        request: GenerationRequest,
        *,
        resume: Checkpoint | None = None,
        on_step: Callable[[Step], None],
        on_phase: Callable[[Phase], None],
    ) -> "Iterator[Frame]":
        """See `VideoModel.generate`. `num_frames` counts the whole video; the cuts belong to the fingerprint."""
        return super().generate(sequence_request(request), resume=resume, on_step=on_step, on_phase=on_phase)

    def prefetch(self, request: GenerationRequest) -> None:
        """See `VideoModel.prefetch`."""
        super().prefetch(sequence_request(request))
