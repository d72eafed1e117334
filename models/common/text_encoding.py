"""The texts of a request as embeddings: encoded ahead where that is possible, refused where they would be cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from models.common import fingerprint
from models.common.embeddings import Embedding, EmbeddingCache
from models.common.shots import shot_texts
from models.common.texts import TextTooLong, named

if TYPE_CHECKING:
    import PIL.Image

    from models.common.family import Family
    from models.common.pipelines import PipelineSet
    from models.common.shots import PlannedShot
    from models.interface import GenerationRequest


@dataclass(frozen=True, kw_only=True)
class Texts:
    """A shot's prompt and, under classifier-free guidance, its negative prompt."""

    positive: Embedding
    negative: Embedding | None


class TextEncoding:
    """Encodes with the family's text pipeline, which may leave the device between two requests."""

    def __init__(self, family: Family, pipelines: PipelineSet) -> None:
        self.kept = EmbeddingCache()
        self._family = family
        self._pipelines = pipelines

    def waits_for_shots(self, request: GenerationRequest) -> bool:
        """True where the encoder is to see images that are yet to be generated; otherwise all texts are encoded
        ahead, before the denoiser needs the memory."""
        return self._family.sees_image_in_text and request.continuity == "chain" and len(request.shots) > 1

    def of(self, request: GenerationRequest, shots: list[PlannedShot]) -> dict[int, Texts]:
        """The texts of the shots, by their index. Raises `TextTooLong` under the name of the field."""
        guided = self._family.classifier_free_guidance and request.guidance_scale > 1
        try:
            if self.waits_for_shots(request) and shots[0].index == 0:
                self._require_whole(shot_texts(request))
            return {
                shot.index: Texts(
                    positive=self._embedding(shot.text, shot.image),
                    negative=self._embedding(request.negative_prompt, shot.image) if guided else None,
                )
                for shot in shots
            }
        except TextTooLong as error:
            raise named(error, request) from None

    def _require_whole(self, texts: list[str]) -> None:
        """Texts that are encoded once the shots before them are made, and paid for, are counted ahead of all."""
        pipe = self._pipeline(with_image=True)
        for text in texts:
            self._family.check_text(pipe, text)

    def _embedding(self, text: str, shot_image: PIL.Image.Image | None) -> Embedding:
        image = shot_image if self._family.sees_image_in_text else None
        with_image = image is not None or self._family.text_pipeline is None
        key = (self._pipelines.revision, text, fingerprint.image_sha256(image) if image else None)

        def encode() -> Embedding:
            with torch.no_grad():
                return self._family.encode(self._pipeline(with_image=with_image), text, image)

        kept = self.kept.get_or_encode(key, encode)
        return {name: tensor.to(self._pipelines.device) for name, tensor in kept.items()}

    def _pipeline(self, *, with_image: bool) -> Any:
        if not self._pipelines.residency.keep_text_encoder:
            # What visits the device (an expert, where the last generation was stopped) leaves no room beside it.
            self._pipelines.places.dismiss()
        return self._pipelines.text(with_image=with_image)
