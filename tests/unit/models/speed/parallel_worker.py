"""A worker on several processes of the CPU, for tests."""

from multiprocessing.connection import Connection
from pathlib import Path

from models import catalog, estimate, placement
from models.interface import Step
from models.placement import Plan
from models.speed.parallel.model import ParallelVideoModel
from tests.unit.models.families import cases


def plan_for(layout: estimate.Layout) -> Plan:
    """A plan of the CPU (everything resident in float32) with this layout."""
    resident = placement.PartPlan("resident", "float32", 0.1, 0.1)
    return Plan(
        dtype="float32",
        text_encoder=resident,
        denoiser=resident,
        vae=resident,
        vae_tiling=False,
        decode_room_gib=0.0,
        layout=layout,
        phases_gib={},
        predicted_peak_gib=0.1,
        host_gib=1.0,
        stream_from_disk=False,
    )


def parallel(case: cases.Case, folder: Path, *, cfg: int = 1, ulysses: int = 1) -> ParallelVideoModel:
    layout = estimate.Layout(cfg=cfg, ulysses=ulysses)
    return ParallelVideoModel(catalog.get(case.model), weights_dir=folder, device="cpu", plan=plan_for(layout))


def generate_for_long(pipe: Connection, name: str, folder: Path) -> None:
    """Tells the followers' ids, then that the first of many steps is done; the test ends it."""
    case = cases.CASES[name]
    model = parallel(case, folder, cfg=2)
    pipe.send(model.crew.pids)

    def on_step(step: Step) -> None:
        if step.index == 1:
            pipe.send("stepped")

    asked = cases.request(case, folder, num_inference_steps=900)
    while True:
        list(model.generate(asked, on_step=on_step, on_phase=lambda phase: None))
