"""The slots that work can run on: the GPUs (or CPU cores) of one worker, and what they can do.

Every figure says where it is from. ``measured`` ones were taken on that hardware with torch; ``published`` ones are the
maker's; ``estimated`` ones are ours until a first-boot benchmark or finished jobs correct them (see Calibration).
"""

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Source = Literal["measured", "published", "estimated"]
Interconnect = Literal["none", "pcie", "nvlink"]


class SlotKind(BaseModel):
    """One kind of accelerator.

    ``matmul_tf_s``: what a large dense bf16 matrix product reaches (float32 on CPU), in TFLOP/s. ``memory_gib``: what a
    process can use of one GPU, in GiB (0 on CPU, where the host's memory is all there is). ``host_gib``: host memory a
    GPU's worker has for itself on the instance types this kind is rented in. ``load_gib_s``: from the instance's
    disk into the GPU. ``counts``: how many of them a slot may have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    memory_gib: float
    matmul_tf_s: float = Field(gt=0)
    matmul_source: Source
    host_gib: float
    load_gib_s: float = Field(gt=0)
    load_source: Source = "estimated"
    interconnect: Interconnect = "none"
    int8: bool = False
    fp8: bool = False
    counts: tuple[int, ...] = (1, 2, 4, 8)
    note: str = ""


_KINDS = (
    SlotKind(
        name="A10G",
        memory_gib=22.35,
        matmul_tf_s=70.0,
        matmul_source="published",
        host_gib=48.0,
        load_gib_s=1.5,
        interconnect="pcie",
        int8=True,
        note="g5: 22,888 MiB usable a GPU. Peer-to-peer does not work on g5.12xlarge (NCCL_P2P_DISABLE=1).",
    ),
    SlotKind(
        name="L4",
        memory_gib=22.0,
        matmul_tf_s=60.0,
        matmul_source="estimated",
        host_gib=48.0,
        load_gib_s=1.5,
        interconnect="pcie",
        int8=True,
        fp8=True,
        note="g6. Published 121 TFLOP/s dense; at 72 W it holds about half of that.",
    ),
    SlotKind(
        name="L40S",
        memory_gib=44.0,
        matmul_tf_s=250.0,
        matmul_source="estimated",
        host_gib=96.0,
        load_gib_s=2.0,
        interconnect="pcie",
        int8=True,
        fp8=True,
        note="g6e. Published 362 TFLOP/s dense.",
    ),
    SlotKind(
        name="A100",
        memory_gib=39.0,
        matmul_tf_s=260.0,
        matmul_source="estimated",
        host_gib=144.0,
        load_gib_s=2.0,
        interconnect="nvlink",
        int8=True,
        note="p4d, 40 GB. Published 312 TFLOP/s dense.",
    ),
    SlotKind(
        name="H100",
        memory_gib=78.0,
        matmul_tf_s=720.0,
        matmul_source="estimated",
        host_gib=256.0,
        load_gib_s=3.0,
        interconnect="nvlink",
        int8=True,
        fp8=True,
        note="p5. The chip of the H200, with slower memory.",
    ),
    SlotKind(
        name="H200",
        memory_gib=139.0,
        matmul_tf_s=756.0,
        matmul_source="measured",
        host_gib=256.0,
        load_gib_s=3.0,
        interconnect="nvlink",
        int8=True,
        fp8=True,
        note="p5en. Large bf16 matmul on one H200, torch 2.11: 756 TFLOP/s (724 in another run).",
    ),
    SlotKind(
        name="CPU",
        memory_gib=0.0,
        matmul_tf_s=0.075,
        matmul_source="measured",
        host_gib=4.0,
        load_gib_s=0.5,
        counts=tuple(range(1, 193)),
        note="One core, float32: 75 GFLOP/s in a 1024 x 1024 product on the 2-core development machine.",
    ),
)

SLOT_KINDS: dict[str, SlotKind] = {kind.name: kind for kind in _KINDS}

# Share of n-fold speed that n GPUs reach on one video, split by guidance pass and then by heads (Ulysses). NVLink: four
# H200s with Wan A14B 480p81 (`make bench-gpu SECTIONS=parallel`, 2026-11-27) reached 0.995 with two passes and 0.910
# with two halves of the heads, 0.909 with both and 0.881 with four quarters of the heads; 8 is estimated. PCIe:
# estimated from 13 GB a rank a step. The same H200s through host memory reached 0.729 with both; a slower GPU, whose
# step takes longer for the same bytes, loses less.
_PARALLEL_EFFICIENCY: dict[Interconnect, dict[int, float]] = {
    "none": {},
    "pcie": {1: 1.0, 2: 0.90, 4: 0.75, 8: 0.55},
    "nvlink": {1: 1.0, 2: 0.95, 4: 0.90, 8: 0.80},
}
# Cores share memory bandwidth; measured on no more than two.
_CORE_EFFICIENCY = 0.9


class Slot(BaseModel):
    """``count`` accelerators (or CPU cores) of one kind, owned by one worker. Written ``"A10Gx4"``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: SlotKind
    count: int = Field(ge=1)
    host_memory_gib: float | None = None

    @model_validator(mode="after")
    def _is_rented_so(self) -> Self:
        if self.count not in self.kind.counts:
            raise ValueError(
                f"a slot has {', '.join(map(str, self.kind.counts))} of {self.kind.name}, not {self.count}"
            )
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"A10Gx4"`` or ``"H200"`` (one). Raises ValueError, naming what there is."""
        match = re.fullmatch(r"([A-Za-z0-9]+?)(?:x([1-9][0-9]{0,2}))?", text)
        kind = SLOT_KINDS.get(match[1]) if match else None
        count = int(match[2] or 1) if match else 1
        if kind is None or count not in kind.counts:
            raise ValueError(f"unknown slot {text!r}; kinds are {', '.join(SLOT_KINDS)}, written as in A10Gx4")
        return cls(kind=kind, count=count)

    def on(self, offer: "Offer | None") -> Self:
        """This slot with its share of the host memory of the instance type that it is on, if that has such slots."""
        if offer is None or offer.kind != self.kind.name:
            return self
        return self.model_copy(update={"host_memory_gib": offer.host_gib * self.count / offer.gpus})

    def measured(self, *, matmul_tf_s: float, load_gib_s: float) -> Self:
        """This slot with what its own instance's first-boot benchmark found for one accelerator."""
        figures = {"matmul_tf_s": matmul_tf_s, "load_gib_s": load_gib_s}
        sources = {"matmul_source": "measured", "load_source": "measured"}
        return self.model_copy(update={"kind": SlotKind.model_validate(dict(self.kind) | figures | sources)})

    @property
    def unmeasured(self) -> Self:
        """This slot with the figures of `SLOT_KINDS`, whatever a benchmark found."""
        return self.model_copy(update={"kind": SLOT_KINDS.get(self.kind.name, self.kind)})

    @property
    def name(self) -> str:
        return f"{self.kind.name}x{self.count}"

    @property
    def is_cpu(self) -> bool:
        return self.kind.memory_gib == 0.0

    @property
    def host_gib(self) -> float:
        """Host memory of the whole slot, in GiB."""
        return self.kind.host_gib * self.count if self.host_memory_gib is None else self.host_memory_gib

    @property
    def matmul_tf_s(self) -> float:
        """TFLOP/s of the slot in a matrix product that one video is split over."""
        return self.kind.matmul_tf_s * self.count * self.parallel_efficiency

    @property
    def parallel_efficiency(self) -> float:
        if self.is_cpu:
            return 1.0 if self.count == 1 else _CORE_EFFICIENCY
        return _PARALLEL_EFFICIENCY[self.kind.interconnect][self.count]


def slot(kind: str, count: int = 1, *, host_memory_gib: float | None = None) -> Slot:
    """The slot of ``count`` accelerators of ``kind``. Raises ValueError, naming what there is."""
    parsed = Slot.parse(f"{kind}x{count}")
    return parsed if host_memory_gib is None else parsed.model_copy(update={"host_memory_gib": host_memory_gib})


def all_gpu_slots() -> tuple[Slot, ...]:
    """Every GPU kind at 1, 2, 4 and 8."""
    return tuple(Slot(kind=kind, count=count) for kind in _KINDS if kind.memory_gib for count in kind.counts)


class Offer(BaseModel):
    """An EC2 instance type: its GPUs, vCPUs, host memory, and US$ an hour with source where we have one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance_type: str
    kind: str
    gpus: int
    vcpus: int
    host_gib: float
    on_demand_usd_per_hour: float | None = None
    spot_usd_per_hour: float | None = None
    price_source: str = ""

    def slot(self, gpus: int) -> Slot:
        """A slot of ``gpus`` of the instance's GPUs with its share of the host's memory."""
        return slot(self.kind, gpus).on(self)


# Shapes: AWS's instance type pages. Prices move: the fleet reads them from AWS, these are for tables and tests.
OFFERS: dict[str, Offer] = {
    offer.instance_type: offer
    for offer in (
        Offer(
            instance_type="g5.12xlarge",
            kind="A10G",
            gpus=4,
            vcpus=48,
            host_gib=192.0,
            on_demand_usd_per_hour=5.67,
            spot_usd_per_hour=1.70,
            price_source="project facts, 2026: about US$5.67 on demand, Spot US$1.70-2.00, us-east-2",
        ),
        Offer(instance_type="g5.2xlarge", kind="A10G", gpus=1, vcpus=8, host_gib=32.0),
        Offer(instance_type="g5.48xlarge", kind="A10G", gpus=8, vcpus=192, host_gib=768.0),
        Offer(instance_type="g6.12xlarge", kind="L4", gpus=4, vcpus=48, host_gib=192.0),
        Offer(instance_type="g6e.12xlarge", kind="L40S", gpus=4, vcpus=48, host_gib=384.0),
        Offer(instance_type="p4d.24xlarge", kind="A100", gpus=8, vcpus=96, host_gib=1152.0),
        Offer(instance_type="p5.48xlarge", kind="H100", gpus=8, vcpus=192, host_gib=2048.0),
        Offer(instance_type="p5en.48xlarge", kind="H200", gpus=8, vcpus=192, host_gib=2048.0),
    )
}
