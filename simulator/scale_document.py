"""docs/escala.md, made of figures: `python -m simulator.scale_document` writes it from docs/dados/escala.json (see
simulator.scale) and a fresh comparison of the policies."""

import json
from pathlib import Path

from simulator.compare import EQUAL_P95, Comparison, all_policies, compare
from simulator.plots import draw
from simulator.scale import FIGURES, Limit, Scale
from simulator.scenario import Scenario

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "escala.md"
COMPARISON = ROOT / "docs" / "dados" / "simulacao.json"
IMAGES = ROOT / "docs" / "img" / "escala"

# What to do at each limit, in the words of an operator. The names are simulator.scale's.
REMEDIES = {
    "Spot vCPUs": "pedir aumento da cota no Service Quotas (semanas, em degraus) e subir `fleet.vcpu_quota`; acima de "
    "uns milhares de vCPUs, somar tipos, zonas e regiões",
    "EC2 launches": "nada: o grupo lança o resto a 2 por segundo; quem não pode esperar usa `scaling.warm_windows`",
    "DynamoDB writes": "espaçar o heartbeat (`REVALIDA_HEARTBEAT_S`) ou dividir a chave `STATE#in_progress` em partes",
    "DynamoDB reads": "dividir a chave `STATE#queued` e deixar o planejador ler contadores em vez de registros; "
    "cada escolha lê até 5.000 dos que esperam (`WAITING_LIMIT`), para que prioridade e justiça passem por cima de "
    "lotes inteiros",
    "SQS messages": "uma fila por modelo já divide; o limite é por fila, e aumenta a pedido",
    "EventBridge": "espaçar os eventos de progresso; a cota aumenta a pedido",
    "Lambda": "cota a pedido; o planejador já roda no máximo uma vez a cada 5 segundos, por mais envios que haja",
}


def render(scales: list[Scale], found: Comparison) -> str:
    """The document's text."""
    return "\n".join([_head(), _table(scales), *map(_limits, scales), _policies(found), _method(found)]) + "\n"


def number(value: float, digits: int = 0) -> str:
    """A number as Portuguese writes it: 1.234,5."""
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def _head() -> str:
    return """# Escala: de 10 a 100.000 vídeos por hora

O que cada volume pede, e qual limite da AWS aperta primeiro. Tudo aqui sai do simulador, que roda o mesmo planejador, a
mesma escolha de trabalho e as mesmas estimativas da produção; nada foi medido numa conta da AWS. Para o seu caso:
`revalida simulate --help`.
"""


def _table(scales: list[Scale]) -> str:
    rows = [
        "| vídeos/h | instâncias g5.12xlarge | vCPUs | em execução | US$/h | US$/vídeo | p95 (min) | aperta primeiro |",
        "|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in scales:
        cells = (
            number(one.videos_per_hour),
            number(one.instances),
            number(one.vcpus),
            number(one.in_flight),
            number(one.usd_per_hour, 2),
            number(one.usd_per_video, 3),
            number(one.p95_min),
            one.limits[0].name,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _limits(one: Scale) -> str:
    lines = [
        f"## {number(one.videos_per_hour)} vídeos por hora\n",
        "| limite da AWS | usa | padrão | parte |",
        "|---|---:|---:|---:|",
        *(_limit_row(limit) for limit in one.limits),
        "",
    ]
    over = [limit for limit in one.limits if limit.share > 1]
    lines += [f"- **{limit.name}**: {_remedy(limit)}." for limit in over] or ["Nada passa do padrão."]
    return "\n".join([*lines, ""])


def _limit_row(limit: Limit) -> str:
    used = number(limit.used, 1 if limit.used < 100 else 0)
    share = number(limit.share * 100, 1 if limit.share < 0.1 else 0)
    return f"| {limit.name} | {used} {limit.unit} | {number(limit.default)} | {share}% |"


def _remedy(limit: Limit) -> str:
    return next(text for name, text in REMEDIES.items() if limit.name.startswith(name))


def _policies(found: Comparison) -> str:
    rows = [
        "## O que a política muda\n",
        "As mesmas chegadas e as mesmas interrupções para todas, uma semana de campanhas "
        f"({number(found.scenario.demand.videos_per_hour)} vídeos por hora em média, metade em lotes):\n",
        "| política | US$/vídeo | p50 (min) | p95 (min) | p99 (min) | ocupação | horas perdidas |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found.results:
        figures = (
            number(one.usd_per_video, 3),
            *(number(seconds / 60, 1) for seconds in (one.p50_s, one.p95_s, one.p99_s)),
            f"{number(one.busy_share * 100)}%",
            number(one.lost_h, 1),
        )
        rows.append(f"| {one.policy} | {' | '.join(figures)} |")
    saving, ratio = (found.saving or 0.0) * 100, found.p95_ratio or 0.0
    rows.append(
        f"\nContra *{found.rival}*, que recomeça do zero, a nossa custa **{number(saving, 1)}% menos por vídeo**, com "
        f"{number(ratio, 3)} do p95. É a contagem mais barata cujo p95 passa o nosso em no máximo "
        f"{number((EQUAL_P95 - 1) * 100)}%; contar mais mensagens por slot barateia ainda, e alonga o p95. O que mais "
        "pesa é juntar o trabalho: os últimos vídeos de uma instância continuam, do passo em que estão, nos slots "
        "livres de outra, e a instância termina. O preço está no p50: quem ainda tem folga até a meta de latência "
        "espera por um slot que já existe. Prioridade alta mira metade da espera. Com chegadas constantes, ou só com "
        "o ciclo do dia, a vantagem é menor, porque há menos a juntar: veja `revalida simulate --pattern poisson` e "
        "`--pattern daily`.\n\n"
        "![Custo e p95 de cada política](img/escala/cost-latency.svg)\n\n"
        "![Para onde vão as horas alugadas](img/escala/slot-hours.svg)\n"
    )
    return "\n".join(rows)


def _method(found: Comparison) -> str:
    fleet, market = found.scenario.fleet, found.scenario.market
    mix = ", ".join(f"{name} {number(share * 100)}%" for name, share in found.scenario.demand.mix.items())
    return f"""## Como foi calculado

- Mistura: {mix} (`:4` são quatro passos destilados, sem guia). É um palpite: troque pela sua com `--mix`.
- g5.12xlarge, {fleet.slots_per_instance} slots de uma GPU, Spot a US$ {number(fleet.spot_usd or 0, 2)} por hora;
  meta de {number(fleet.latency_target_s / 60)} minutos do pedido ao vídeo.
- Mercado: {market.pools} zonas; uma instância vive em média {number(market.interruption_mean_h)} h, uma zona seca por
  {number(market.dry_h)} h a cada {number(market.open_h)} h. São suposições: o seu histórico diz melhor.
- Segundos de cada modelo: `models.estimate`, que para a A10G parte de números publicados, não medidos.
- Os padrões dos limites são os das páginas de cotas da AWS em us-east-2; confira os da sua conta.
- Refazer: `python -m simulator.scale` (minutos) e `python -m simulator.scale_document`.
"""


def load() -> tuple[list[Scale], Comparison]:
    """The figures that the document is made of."""
    scales = [Scale.model_validate(one) for one in json.loads(FIGURES.read_text(encoding="utf-8"))]
    return scales, Comparison.model_validate_json(COMPARISON.read_text(encoding="utf-8"))


def main() -> None:
    """Compares the policies, then writes figures, plots and document."""
    found = compare(Scenario(), all_policies())
    COMPARISON.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draw(found, IMAGES, "svg")
    DOCUMENT.write_text(render(*load()), encoding="utf-8")


if __name__ == "__main__":
    main()
