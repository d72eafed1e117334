"""The tables that compare with commercial services, and of money by volume. Columns and words are Portuguese."""

from knowledge.cases import Case, running_of, scenario_case
from knowledge.costs import break_even_a_month, instances_needed, monthly_return, monthly_usd
from knowledge.data import Instance, Knowledge, Scenario, Service
from knowledge.formats import number, percent, usd
from knowledge.markdown import reference, table


def services(known: Knowledge) -> str:
    """Commercial services: price of a second, of 5 s and of 15 s."""
    rows = []
    for service in known.services:
        second = service.usd_a_second()
        rows.append(
            [
                service.name,
                service.resolution,
                f"{usd(second)}{reference(service.price)}",
                usd(5 * second),
                usd(15 * second),
                service.multi_shot,
                _status(service),
            ]
        )
    head = ["Serviço", "Resolução", "Por segundo", "5 s", "15 s", "Vários planos", "Situação"]
    return table(head, rows, align="lrrrrl")


def _status(service: Service) -> str:
    if service.ended_on is None:
        return "no ar"
    return f"**encerrado em {service.ended_on.strftime('%d/%m/%Y')}**"


def break_even(known: Knowledge, scenario: Scenario, instance: Instance) -> str:
    """Videos a month from which a reference video is cheaper at home than at each service."""
    found = scenario_case(known, scenario, instance)
    assert isinstance(found, Case)  # the document asks only for cases that fit
    fixed = running_of(known.assumptions).fixed_usd_month
    rows = []
    for service in known.services:
        if not service.active:
            continue
        there = service.usd_a_second() * found.video_s
        volume = break_even_a_month(service_usd=there, own_usd=found.cost.usd, fixed_usd_month=fixed)
        rows.append(
            [service.name, service.resolution, usd(there), usd(found.cost.usd), _volume(volume)],
        )
    head = ["Serviço", "Resolução", "Lá", "Aqui (variável)", "Compensa a partir de"]
    return table(head, rows, align="lrrrr")


def _volume(volume: float | None) -> str:
    return "não compensa só pelo preço" if volume is None else f"{number(volume)} vídeos/mês"


def volumes(known: Knowledge, scenario: Scenario, instance: Instance) -> str:
    """What each monthly volume takes: instances, hours, vCPUs and money."""
    found = scenario_case(known, scenario, instance)
    assert isinstance(found, Case)
    running = running_of(known.assumptions)
    rows = []
    for volume in known.monthly_volumes:
        count = instances_needed(volume, found.cost.videos_h, running.hours_a_month)
        total = monthly_usd(volume, found.cost.usd, running.fixed_usd_month)
        rows.append(
            [
                number(volume),
                number(volume / found.cost.videos_h),
                str(count),
                number(count * instance.vcpus.value),
                usd(total),
                usd(total / volume),
            ]
        )
    head = ["Vídeos/mês", "Horas de instância", "Instâncias juntas", "vCPUs", "Custo do mês", "Custo por vídeo"]
    return table(head, rows, align="rrrrrr")


def returns(known: Knowledge, scenario: Scenario, instance: Instance, volume: int) -> str:
    """Profit of a month at each sale price."""
    found = scenario_case(known, scenario, instance)
    assert isinstance(found, Case)
    fixed = running_of(known.assumptions).fixed_usd_month
    rows = []
    for sale in known.sale_prices_usd:
        month = monthly_return(
            volume=volume,
            sale_usd=sale,
            usd=found.cost.usd,
            takes=known.assumptions.takes_per_delivery.value,
            fixed_usd_month=fixed,
        )
        money = [usd(amount) for amount in (month.revenue_usd, month.cost_usd, month.profit_usd)]
        rows.append([usd(sale), *money, percent(month.margin), percent(month.roi)])
    head = ["Preço de venda", "Receita", "Custo", "Lucro", "Margem", "Retorno sobre o custo"]
    return table(head, rows, align="rrrrrr")
