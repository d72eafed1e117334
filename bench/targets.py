"""What the project set itself, and what of it the results show: reached, not reached, or not measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from bench.record import Row, Section

State = Literal["reached", "not reached", "not measured"]


class Target(NamedTuple):
    """`line` of the goals, in Portuguese; `section` and `variant` name the row that `value_of` reads; `least` or `most`
    bounds what it gives. `over` names a variant whose value is to be divided by the row's, instead of `value_of`."""

    line: str
    section: str
    variant: str
    value_of: Callable[[Row], float | None]
    least: float | None = None
    most: float | None = None
    what: str = ""
    over: str = ""


def _share(row: Row) -> float | None:
    return row.of_ceiling


def _speedup(row: Row) -> float | None:
    return row.speedup


def _value(row: Row) -> float | None:
    return row.value


def _slowdown(row: Row) -> float | None:
    return None if row.speedup is None else 1 / row.speedup


def _of_four(row: Row) -> float | None:
    return None if row.speedup is None else row.speedup / 4


TARGETS = (
    Target("Wan A14B 480p81, exato: fração do teto de matmul", "wan-480p", "exact", _share, least=0.88),
    Target("Wan A14B 720p81, exato: fração do teto de matmul", "wan-720p", "exact", _share, least=0.86),
    Target("Wan A14B 480p81, pipeline inteiro: vezes o padrão", "whole", "exact", _speedup, least=1.3, what="40 steps"),
    Target(
        "Wan A14B 480p81, rápido (fp8): vezes o padrão", "wan-480p", "fast, fp8 with its attention", _speedup, least=1.7
    ),
    Target("4 passos contra 40 do padrão", "whole", "fast, 4 steps", _speedup, least=15.0, what="stock's 40"),
    Target("HunyuanVideo 544p129, exato: vezes o padrão", "hunyuan", "exact", _speedup, least=1.5),
    Target("CogVideoX-5B, exato: não mais lento", "cogvideox", "exact", _speedup, least=1.0),
    Target("Mochi-1, exato: não mais lento", "mochi", "exact", _speedup, least=1.0),
    Target("LTX-Video, exato: não mais lento", "ltx", "exact", _speedup, least=1.0),
    Target("Wan TI2V-5B, exato: não mais lento", "ti2v", "exact", _speedup, least=1.0),
    Target("HoloCine 241 quadros, exato: não mais lento", "holocine", "exact", _speedup, least=1.0),
    Target("22 GiB: tempo limitado / livre, A14B 720p81", "streamed", "streamed", _slowdown, most=1.10, what="forward"),
    Target("VAE do Wan, inteiro: vezes a receita float32", "decode-wan", "bfloat16, quick", _speedup, least=2.5),
    Target("VAE do TI2V-5B, inteiro: vezes a receita float32", "decode-ti2v", "bfloat16, quick", _speedup, least=2.5),
    Target(
        "VAE do Wan, em faixas: vezes a receita float32", "decode-wan", "bfloat16, quick, strips", _speedup, least=2.5
    ),
    Target(
        "VAE do TI2V-5B, em faixas: vezes a receita float32",
        "decode-ti2v",
        "bfloat16, quick, strips",
        _speedup,
        least=2.5,
    ),
    Target(
        "VAE do Wan: em faixas contra a receita em ladrilhos",
        "decode-wan",
        "bfloat16, quick, strips",
        _value,
        least=2.5,
        over="float32, stock, tiled",
    ),
    Target(
        "VAE do TI2V-5B: em faixas contra a receita em ladrilhos",
        "decode-ti2v",
        "bfloat16, quick, strips",
        _value,
        least=2.5,
        over="float32, stock, tiled",
    ),
    Target(
        "Wan A14B 480p81 em 4 GPUs, guia x cabeças: eficiência", "parallel", "CFG 2 x Ulysses 2", _of_four, least=0.88
    ),
    Target("Carga do disco: fração do limite", "loading", "ours", _share, least=0.8),
    Target("Carga do disco: vezes from_pretrained", "loading", "ours", _speedup, least=2.0),
    Target("Troca entre modelos na memória: fração do barramento", "switching", "ours", _share, least=0.8),
    Target("Retomada em outro processo, bit a bit", "checkpoints", "exact", _value, least=1.0, what="frames after"),
)


class Outcome(NamedTuple):
    """What the results say of a target; `found` is None where nothing was measured."""

    target: Target
    state: State
    found: float | None


def judge(target: Target, sections: Sequence[Section]) -> Outcome:
    """Looks the target up in the results of all machines; the first that has the row counts."""
    rows = [row for section in sections if section.name == target.section for row in section.rows]
    fitting = (row for row in rows if row.variant.startswith(target.variant) and target.what in row.what)
    found = next((_found(target, row, rows) for row in fitting), None)
    if found is None:
        return Outcome(target, "not measured", None)
    enough = (target.least is None or found >= target.least) and (target.most is None or found <= target.most)
    return Outcome(target, "reached" if enough else "not reached", found)


def _found(target: Target, row: Row, rows: Sequence[Row]) -> float | None:
    if not target.over:
        return target.value_of(row)
    other = next((each.value for each in rows if each.variant == target.over), None)
    return other / row.value if other and row.value else None
