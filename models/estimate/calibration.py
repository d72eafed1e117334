"""What finished jobs teach the estimate: how far measured seconds are from predicted ones.

Kept as logarithms of ratios, of which the median is taken: half of the samples may be wild (a thermal throttle, a
neighbour, a clock error) before the factor moves far. Pure: observing gives a new Calibration, which is JSON.
"""

import math
from statistics import median
from typing import Self

from pydantic import BaseModel, ConfigDict

# Samples kept a model and slot: enough for a steady median, few enough to follow a driver or code change in a day.
_WINDOW = 51
# Weight of the uncalibrated prediction, in samples: the first jobs move the factor part of the way only.
_PRIOR_SAMPLES = 2
# No sample counts for more than this factor: beyond it something else than the estimate was wrong.
_LARGEST_RATIO = 20.0


class Calibration(BaseModel):
    """Log ratios of measured to predicted compute seconds, by ``"<model id>@<slot name>"``, oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_ratios: dict[str, tuple[float, ...]] = {}

    def observe(self, model_id: str, slot_name: str, *, predicted_s: float, measured_s: float) -> Self:
        """With one more finished job. ``predicted_s`` must be the estimate *without* calibration.

        Raises ValueError unless both are positive and finite.
        """
        if not (0 < predicted_s < math.inf and 0 < measured_s < math.inf):
            raise ValueError(f"seconds must be positive and finite: predicted {predicted_s}, measured {measured_s}")
        bound = math.log(_LARGEST_RATIO)
        ratio = min(max(math.log(measured_s / predicted_s), -bound), bound)
        key = _key(model_id, slot_name)
        samples = (*self.log_ratios.get(key, ()), ratio)[-_WINDOW:]
        return self.model_copy(update={"log_ratios": self.log_ratios | {key: samples}})

    def factor(self, model_id: str, slot_name: str, *, benchmark: float = 1.0) -> float:
        """What to multiply predicted compute seconds by, in the units of ``observe``. 1 where nothing is known.

        ``benchmark`` is the factor that a first-boot benchmark alone gives: jobs outvote it, and do not add to it.
        A model never seen on a slot takes half (in logarithms) of what the slot's other models show beyond it: part of
        an error is the hardware's figure, part the model's.
        """
        own = self.log_ratios.get(_key(model_id, slot_name), ())
        others = [median(samples) for key, samples in self.log_ratios.items() if _is_other(key, model_id, slot_name)]
        prior = math.log(benchmark)
        if others:
            prior += 0.5 * (median(others) - prior)
        weighted = len(own) * (median(own) if own else 0.0) + _PRIOR_SAMPLES * prior
        return math.exp(weighted / (len(own) + _PRIOR_SAMPLES))


def _key(model_id: str, slot_name: str) -> str:
    return f"{model_id}@{slot_name}"


def _is_other(key: str, model_id: str, slot_name: str) -> bool:
    other_model, _, other_slot = key.rpartition("@")
    return other_slot == slot_name and other_model != model_id
