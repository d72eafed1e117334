"""Does a request fit a slot, and how: pure arithmetic over the catalog.

from models import catalog, estimate, placement
spec = catalog.get("wan2.2-t2v-a14b")
placement.plan(spec, estimate.Work.default(spec), estimate.Slot.parse("A10G"))
"""

from models.placement.memory import ALLOC_CONF
from models.placement.plan import PartPlan, Plan, Refusal
from models.placement.planner import fits, plan

__all__ = ["ALLOC_CONF", "PartPlan", "Plan", "Refusal", "fits", "plan"]
