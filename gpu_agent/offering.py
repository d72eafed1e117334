"""The models that this machine offers, looked at anew now and then: weights may come to the bucket while it runs."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from gpu_agent.logs import logger
from gpu_agent.offers import Gpu, abilities
from jobs.fleet import Ability
from models.weights.errors import WeightsUnavailable

LOOK_S = 60.0  # as often as the doors look into the bucket (jobs.weights.KEPT_S)


class Offering:
    """What the machine can run by its GPUs, its disk and the bucket. `in_bucket` lists the models there, or raises
    `WeightsUnavailable`; what was known stays known then."""

    def __init__(self, gpus: Sequence[Gpu], weights_dir: Path, in_bucket: Callable[[], Collection[str]]) -> None:
        self._gpus = gpus
        self._weights_dir = weights_dir
        self._list_bucket = in_bucket
        self._in_bucket: Collection[str] = ()
        self._is_untold = False
        self.abilities: tuple[Ability, ...] = ()
        self.look()

    @property
    def models(self) -> frozenset[str]:
        """Ids of the models that can run here."""
        return frozenset(ability.model for ability in self.abilities if ability.runnable)

    def look(self) -> bool:
        """Look anew. Whether anything has changed."""
        try:
            self._in_bucket = self._list_bucket()
        except WeightsUnavailable as error:
            logger.warning("weights in the bucket not listed", extra={"error": str(error)})
        before, self.abilities = self.abilities, abilities(self._gpus, self._weights_dir, in_bucket=self._in_bucket)
        return self.abilities != before

    def look_and_tell(self, tell: Callable[[], None]) -> None:
        """Look anew, and `tell` of a change. Where that raises, the next look tells of it, whatever it finds."""
        self._is_untold |= self.look()
        if self._is_untold:
            tell()
            self._is_untold = False
