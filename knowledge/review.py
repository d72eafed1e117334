"""Which figures are past their review period.

A price is good for three months, other kinds as ``revisao_dias`` says. A source past it must be read again, or carry a
``vencida_aceita`` with a reason and a last day; then its figures are marked in the documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import BaseModel

from knowledge.data import Figure, Knowledge, Source


@dataclass(frozen=True)
class Finding:
    """Something to do about a source or a figure, in words."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


def overdue(known: Knowledge, source: Source, on: date) -> bool:
    """True where ``source`` is past the review period of its kind on the day ``on``."""
    return on > source.as_of + timedelta(days=known.review_days[source.kind])


def historical(known: Knowledge) -> frozenset[str]:
    """Sources used by services that have ended: their prices are history and cannot go stale."""
    ended = {service.price.source for service in known.services if not service.active}
    living = {service.price.source for service in known.services if service.active}
    return frozenset(source for source in ended - living if source is not None)


def figures(record: BaseModel, path: str = "") -> Iterator[tuple[str, Figure]]:
    """All figures in a record, with the path to each."""
    for name in type(record).model_fields:
        yield from _figures_in(getattr(record, name), f"{path}.{name}" if path else name)


def _figures_in(value: object, path: str) -> Iterator[tuple[str, Figure]]:
    if isinstance(value, Figure):
        yield path, value
    elif isinstance(value, BaseModel):
        yield from figures(value, path)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            label = getattr(item, "id", None) or getattr(item, "type", None) or str(index)
            yield from _figures_in(item, f"{path}[{label}]")


def findings(known: Knowledge, on: date) -> tuple[Finding, ...]:
    """Everything in the data that needs a person on the day ``on``; empty when all is in order."""
    return (*_unknown_sources(known), *_unused_sources(known), *_stale_sources(known, on))


def _used(known: Knowledge) -> set[str]:
    return {figure.source for _, figure in figures(known) if figure.source is not None}


def _unknown_sources(known: Knowledge) -> Iterator[Finding]:
    for path, figure in figures(known):
        if figure.source is not None and figure.source not in known.sources:
            yield Finding(path, f"names the source {figure.source!r}, which fontes.yaml does not have")


def _unused_sources(known: Knowledge) -> Iterator[Finding]:
    for name in known.sources.keys() - _used(known) - known.cited:
        yield Finding(f"fontes.{name}", "no figure and no text uses it: take it out")


def _stale_sources(known: Knowledge, on: date) -> Iterator[Finding]:
    for name, source in known.sources.items():
        if source.read_on > on:
            yield Finding(f"fontes.{name}", f"read on {source.read_on}, after {on}")
        if name in historical(known) or not overdue(known, source, on):
            continue
        if source.accepted is None:
            period = known.review_days[source.kind]
            yield Finding(f"fontes.{name}", f"of {source.as_of} is past its {period} days: read it again")
        elif on > source.accepted.until:
            yield Finding(f"fontes.{name}", f"was accepted past its period until {source.accepted.until} only")
