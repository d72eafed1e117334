"""A process of `test_shared_memory`: opens models, generates, tells where their weights lie, and holds them.

python -m tests.unit.models.families.hold_worker <JSON: case -> folder>
"""

import json
import sys
from pathlib import Path

import torch

from models.common.engine import DiffusersVideoModel
from tests.unit.models.families import cases


def mapped_ranges(folder: Path) -> list[tuple[int, int]]:
    """Addresses at which this process has files below `folder` mapped."""
    lines = (line.split() for line in Path("/proc/self/maps").read_text().splitlines())
    ranges = (fields[0].split("-") for fields in lines if fields[-1].startswith(str(folder)))
    return [(int(start, 16), int(end, 16)) for start, end in ranges]


def bytes_of(model: DiffusersVideoModel, *, with_image: bool, folder: Path) -> dict[str, list[int]]:
    """Of each network: bytes of its weights, and how many of them lie in its files."""
    pipelines = model._pipelines
    parts = dict(pipelines.text(with_image=with_image).components)
    parts |= {name: part for name, part in pipelines.generation(with_image=with_image).components.items() if part}
    ranges = mapped_ranges(folder)
    found = {}
    for name, part in parts.items():
        if isinstance(part, torch.nn.Module):
            weights = list(part.parameters())
            mapped = [w for w in weights if any(start <= w.data_ptr() < end for start, end in ranges)]
            found[name] = [sum(w.nbytes for w in weights), sum(w.nbytes for w in mapped)]
    return found


def main(folders: dict[str, str]) -> None:
    models, told = [], {}
    for name, path in folders.items():
        case, folder = cases.CASES[name], Path(path)
        model = cases.load(case, folder)
        cases.frames_of(model, cases.request(case, folder, num_inference_steps=2))
        told[name] = bytes_of(model, with_image=case.with_image, folder=folder)
        models.append(model)
    print(json.dumps(told), flush=True)
    sys.stdin.read()  # until the test closes it


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
