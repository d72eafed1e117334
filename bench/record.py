"""What a section of the benchmark found: rows of plain numbers, kept as JSON, from which tables are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """One measured thing. `value` in `unit`, the median of `repeats`; `of_ceiling` its share of the ceiling named in
    `ceiling`; `speedup` over the row's stock counterpart; `error` ||out - ref|| / ||ref|| against `reference`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    variant: str
    value: float | None
    unit: str
    repeats: int = 1
    spread: float | None = None
    of_ceiling: float | None = None
    ceiling: str = ""
    speedup: float | None = None
    error: float | None = None
    reference: str = ""
    note: str = ""


class Section(BaseModel):
    """The rows of one section on one machine; `failed` holds what went wrong on the way."""

    model_config = ConfigDict(extra="forbid")

    name: str
    machine: str
    software: str
    date: str
    rows: list[Row] = []
    failed: list[str] = []
    seconds: float = 0.0
    ceilings: dict[str, Any] = {}

    def save(self, folder: Path) -> Path:
        """Writes `<name>.json` into `folder`."""
        path = folder / f"{self.name}.json"
        path.write_text(self.model_dump_json(indent=1) + "\n", "utf-8")
        return path


def table(section: Section) -> str:
    """The rows as fixed-width text."""
    head = ("what", "variant", "value", "unit", "of ceiling", "x stock", "rel. error", "note")
    rows = [head] + [_cells(row) for row in section.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"== {section.name} · {section.machine} · {section.seconds:.0f} s", *lines, *_failures(section)])


def _failures(section: Section) -> list[str]:
    return [f"!! {failure}" for failure in section.failed]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        row.variant,
        "-" if row.value is None else f"{row.value:.4g}",
        row.unit,
        "" if row.of_ceiling is None else f"{row.of_ceiling:.3f}",
        "" if row.speedup is None else f"{row.speedup:.3f}",
        "" if row.error is None else f"{row.error:.1e}",
        row.note,
    )
