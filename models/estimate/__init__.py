"""Arithmetic, seconds and US$ of a request, as pure functions of values.

from models import catalog, estimate
spec = catalog.get("wan2.2-t2v-a14b")
estimate.estimate(spec, estimate.Work.default(spec), estimate.Slot.parse("A10Gx4"), usd_per_hour=1.70)
"""

from models.estimate.calibration import Calibration
from models.estimate.flops import Flops, flops, forwards_per_step
from models.estimate.layout import Layout, layout
from models.estimate.seconds import BOOT_S, Estimate, estimate
from models.estimate.slots import OFFERS, SLOT_KINDS, Offer, Slot, SlotKind, all_gpu_slots, slot
from models.estimate.work import Work

__all__ = [
    "BOOT_S",
    "OFFERS",
    "SLOT_KINDS",
    "Calibration",
    "Estimate",
    "Flops",
    "Layout",
    "Offer",
    "Slot",
    "SlotKind",
    "Work",
    "all_gpu_slots",
    "estimate",
    "flops",
    "forwards_per_step",
    "layout",
    "slot",
]
