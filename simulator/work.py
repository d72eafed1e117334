"""Seconds of each model's default video on the fleet's slot: production's own estimate, and whether it fits at all."""

from dataclasses import replace
from typing import NamedTuple

from models import placement
from models.estimate import OFFERS, Work, estimate
from simulator.scenario import Fleet, parse_kind


class DoesNotFit(ValueError):
    """A model of the mix cannot run on the fleet's slots."""


class Video(NamedTuple):
    """One model's default video: its compute and load seconds, and how many denoise steps a checkpoint can follow."""

    model: str
    compute_s: float
    load_s: float
    steps: int


def videos(models: tuple[str, ...], fleet: Fleet) -> tuple[Video, ...]:
    """What each model takes on the fleet's slot. Raises DoesNotFit with the placement's reason."""
    slot = OFFERS[fleet.instance_type].slot(fleet.gpus_per_slot)
    found = []
    for name in models:
        spec, steps = parse_kind(name)
        work = Work.default(spec)
        if steps is not None:
            work = replace(work, num_inference_steps=steps, guidance_scale=1.0)
        planned = placement.plan(spec, work, slot)
        if isinstance(planned, placement.Refusal):
            raise DoesNotFit(f"{name} on {slot.name}: {planned.message}")
        predicted = estimate(spec, work, slot, loaded=False)
        found.append(Video(name, predicted.compute_s, predicted.load_s, work.num_inference_steps))
    return tuple(found)
