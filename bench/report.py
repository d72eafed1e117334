"""`python -m bench.report`: writes docs/desempenho.md (Portuguese) and its plots from the kept results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.plots import write
from bench.record import Row, Section
from bench.targets import TARGETS, Outcome, judge

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parents[1] / "docs" / "desempenho.md"
_STATES = {"reached": "alcançado", "not reached": "**não alcançado**", "not measured": "não medido"}

_HEAD = """# Desempenho

<!-- Gerado por `python -m bench.report` a partir de bench/results; não edite à mão. -->

Tudo aqui foi medido pelo comando escrito ao lado de cada tabela; o que não foi medido está dito como tal. As redes de
tamanho real rodam com pesos aleatórios: servem para tempo, memória e erro de arredondamento, e nada dizem da qualidade
da quantização. A qualidade é julgada no modelo treinado que acompanha o projeto, o `wan-mini`.

Dois níveis, escolhidos por pedido (`tier`) ou por implantação (`fleet.tier` em `cdk.json`):

- **exact** (exato): bfloat16, só mudanças equivalentes dentro do arredondamento do bfloat16: blocos compilados, os
  núcleos fundidos e o de atenção que passam no teste numérico ao iniciar, texto sem preenchimento.
- **fast** (rápido): além disso, camadas lineares em fp8 (Ada, Hopper) ou int8, com uma escala por linha, atenção em fp8
  (Hopper, cabeças de 128; `models/speed/fp8_attention.py`) e passos que quase nada mudam tomados do passo anterior
  (`models/speed/step_cache.py`).

Os modelos `-4step` do catálogo têm as LoRAs de poucos passos nos próprios pesos, somadas antes de quantizar, nos dois
níveis.
"""


def main() -> None:
    sections = load(RESULTS)
    plots = write(sections)
    DOCUMENT.write_text(document(sections, [path.name for path in plots]), "utf-8")
    print(DOCUMENT, *plots)


def load(folder: Path) -> list[Section]:
    """The kept sections, by name."""
    return [Section.model_validate_json(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]


def document(sections: Sequence[Section], plots: Sequence[str] = ()) -> str:
    """The whole text; `plots` are names of files in docs/img."""
    goals = _goals([judge(target, sections) for target in TARGETS])
    pictures = "\n\n".join(f"![{name.removesuffix('.svg')}](img/{name})" for name in plots)
    parts = [_HEAD, goals, *([pictures] if pictures else []), *map(_section, sections), _missing()]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _goals(outcomes: Sequence[Outcome]) -> str:
    rows = [
        (
            outcome.target.line,
            _bound(outcome),
            "—" if outcome.found is None else _number(outcome.found),
            _STATES[outcome.state],
        )
        for outcome in outcomes
    ]
    open_goals = sum(outcome.state == "not measured" for outcome in outcomes)
    head = f"## Metas\n\nMedidas por `make bench-gpu` em uma GPU NVIDIA; por medir: {open_goals} de {len(outcomes)}.\n"
    return head + "\n" + _table(("meta", "exigido", "medido", "situação"), rows)


def _bound(outcome: Outcome) -> str:
    least, most = outcome.target.least, outcome.target.most
    return f"≥ {_number(least)}" if least is not None else f"≤ {_number(most or 0.0)}"


def _section(section: Section) -> str:
    head = f"## {section.name}\n\n{section.machine} · {section.software} · {section.date} · {_command(section.name)}\n"
    columns = ("o que", "variante", "valor", "unidade", "do teto", "× padrão", "erro relativo", "nota")
    failures = "".join(f"\nFalhou: {failure}\n" for failure in section.failed)
    return head + "\n" + _table(columns, [_cells(row) for row in section.rows]) + failures


def _command(name: str) -> str:
    return "`python -m bench.quality`" if name == "quality" else f"`make bench-gpu SECTIONS={name}`"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        row.variant,
        "—" if row.value is None else _number(row.value),
        row.unit,
        "" if row.of_ceiling is None else _number(row.of_ceiling),
        "" if row.speedup is None else _number(row.speedup),
        "" if row.error is None else f"{row.error:.1e}".replace(".", ","),
        row.note,
    )


def _number(value: float) -> str:
    return f"{value:.4g}".replace(".", ",")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _missing() -> str:
    return (RESULTS / "nao-alcancado.md").read_text("utf-8")


if __name__ == "__main__":
    main()
