"""The tables of the analysis, each a function from the data to Markdown. Columns and words are Portuguese."""

from knowledge.cases import Case, NoFit, scenario_case
from knowledge.data import Knowledge, Scenario
from knowledge.formats import duration, number, percent, short, usd
from knowledge.markdown import reference, references, table
from models import catalog

_COMMERCIAL = {"allowed": "permitido", "conditional": "com condições", "forbidden": "proibido sem acordo"}
_YES_NO = {True: "sim", False: "não"}
STARS = 5


def summary(known: Knowledge) -> str:
    """Time and cost of every reference video on the default instance, Spot."""
    instance = known.instance(known.default_instance)
    rows = []
    for scenario in known.scenarios:
        found = scenario_case(known, scenario, instance)
        rows.append([scenario.label, *_summary_cells(found)])
    return table(
        ["Vídeo de referência", "Tempo por vídeo", "Vídeos/h (teto)", "Vídeos/h (real)", "Custo de GPU", "Custo total"],
        rows,
        align="lrrrrr",
    )


def _summary_cells(found: Case | NoFit) -> list[str]:
    if isinstance(found, NoFit):
        return ["não cabe", "–", "–", "–", "–"]
    cost = found.cost
    rates = [number(cost.ideal_videos_h, 1), number(cost.videos_h, 1)]
    return [duration(found.compute_s), *rates, usd(cost.ideal_usd), usd(cost.usd)]


def specifications(known: Knowledge) -> str:
    """What each model is: size, length, LoRA, several shots, licence."""
    rows = []
    for facts in known.models:
        spec = catalog.get(facts.id)
        rows.append(
            [
                facts.name,
                f"{short(facts.parameters_b.value)} bi{reference(facts.parameters_b)}",
                str(spec.default.size),
                str(spec.fps),
                f"{spec.default.num_frames} ({number((spec.default.num_frames - 1) / spec.fps, 1)} s)",
                str(spec.default.num_inference_steps),
                "**nativo**" if spec.multi_shot == "native" else "um por vez",
                _YES_NO[spec.supports_lora],
                f"[{spec.licence.name}]({_licence_url(spec)})",
                _COMMERCIAL[spec.licence.commercial_use],
            ]
        )
    head = ["Modelo", "Parâmetros", "Tamanho padrão", "fps", "Quadros", "Passos", "Vários planos", "LoRA", "Licença"]
    return table([*head, "Uso comercial"], rows, align="lrrrrrcc")


def _licence_url(spec: catalog.ModelSpec) -> str:
    url = spec.licence.url
    return url if url.startswith("http") else "#"


def memory(known: Knowledge) -> str:
    """Weights, published need, and what our placement predicts on one GPU of each kind."""
    kinds = list(known.instances)
    rows = []
    for facts in known.models:
        spec = catalog.get(facts.id)
        scenario = first_scenario(known, facts.id)
        published = facts.published_memory_gib
        cells = [_peak(scenario_case(known, scenario, instance)) for instance in kinds]
        rows.append(
            [
                facts.name,
                f"{number(spec.weights.gib, 1)} GiB",
                f"{short(published.value)} GB{reference(published)}",
                *cells,
            ]
        )
    heads = [f"{instance.gpu} ({short(instance.gpu_gib.value)} GiB)" for instance in kinds]
    return table(["Modelo", "Pesos em disco", "Memória publicada", *heads], rows, align="lrr" + "r" * len(kinds))


def _peak(found: Case | NoFit) -> str:
    if isinstance(found, NoFit):
        return "não cabe"
    wide = f" em {found.gpus_a_slot} GPUs" if found.gpus_a_slot > 1 else ""
    return f"{number(found.peak_gib, 1)} GiB{wide}"


def first_scenario(known: Knowledge, model_id: str) -> Scenario:
    """The first reference video of a model. Raises StopIteration where the data has none: a test forbids it."""
    return next(scenario for scenario in known.scenarios if scenario.model == model_id)


def quality(known: Knowledge) -> str:
    """Our marks (estimates) beside the published measures."""
    rows = []
    for facts in known.models:
        marks = facts.marks
        published = "; ".join(f"{rating.name}: {short(rating.value)}{reference(rating)}" for rating in facts.ratings)
        stars = [_stars(mark.value) for mark in (marks.picture, marks.motion, marks.character)]
        rows.append([facts.name, *stars, published or "nenhuma encontrada"])
    heads = ["Modelo", "Imagem[^estimativa]", "Movimento[^estimativa]", "Personagem[^estimativa]", "Medidas publicadas"]
    return table(heads, rows, align="lccc")


def _stars(value: float) -> str:
    full = round(value)
    return "★" * full + "☆" * (STARS - full)


def consistency(known: Knowledge) -> str:
    """How each model keeps a character the same from shot to shot."""
    rows = []
    for facts in known.models:
        spec = catalog.get(facts.id)
        native = "numa geração só" if spec.multi_shot == "native" else "uma geração por plano"
        rows.append([facts.name, native, facts.consistency, str(spec.limits.shots)])
    return table(
        ["Modelo", "Cena de vários planos", "Como o personagem se mantém", "Planos por pedido"], rows, align="lllr"
    )


def instances(known: Knowledge) -> str:
    """Instance types and their prices; how many the default quota admits."""
    rows = []
    quota = known.assumptions.quota_vcpus.value
    for instance in known.instances:
        spot = [figure.value for figure in instance.spot_usd_h]
        inside = int(quota // instance.vcpus.value) if instance.in_default_quota else 0
        rows.append(
            [
                instance.type,
                f"{instance.gpus} × {instance.gpu}",
                short(instance.vcpus.value),
                f"{usd(instance.on_demand_usd_h.value)}{reference(instance.on_demand_usd_h)}",
                f"{usd(instance.spot_median_usd_h)}{references(instance.spot_usd_h)}",
                f"{usd(min(spot))} a {usd(max(spot))}",
                percent(instance.spot_saving),
                str(inside) if inside else "outra cota",
            ]
        )
    head = [
        "Instância",
        "GPUs",
        "vCPUs",
        "Sob demanda/h",
        "Spot/h (mediana)",
        "Spot por zona",
        "Economia",
        "Cabem na cota",
    ]
    return table(head, rows, align="llrrrrrr")


def cost_by_instance(known: Knowledge) -> str:
    """Total cost of every reference video on every instance type, Spot; the least in bold."""
    rows = []
    for scenario in known.scenarios:
        found = [scenario_case(known, scenario, instance) for instance in known.instances]
        costs = [item.cost.usd for item in found if isinstance(item, Case)]
        cells = ["não cabe" if isinstance(item, NoFit) else _least(item.cost.usd, costs) for item in found]
        rows.append([scenario.label, *cells])
    head = ["Vídeo de referência", *(instance.type for instance in known.instances)]
    return table(head, rows, align="l" + "r" * len(known.instances))


def _least(value: float, costs: list[float]) -> str:
    return f"**{usd(value)}**" if value == min(costs) else usd(value)


def spot_against_on_demand(known: Knowledge) -> str:
    """What Spot saves on each reference video, default instance."""
    instance = known.instance(known.default_instance)
    rows = []
    for scenario in known.scenarios:
        spot = scenario_case(known, scenario, instance)
        demand = scenario_case(known, scenario, instance, price_usd_h=instance.on_demand_usd_h.value)
        if isinstance(spot, NoFit) or isinstance(demand, NoFit):
            continue
        saved = 1 - spot.cost.usd / demand.cost.usd
        rows.append([scenario.label, usd(demand.cost.usd), usd(spot.cost.usd), percent(saved)])
    return table(["Vídeo de referência", "Sob demanda", "Spot", "Economia"], rows, align="lrrr")


def old_claim(known: Knowledge) -> str:
    """The earlier claim against the arithmetic, at the Spot price it supposed and with no idle time, as it did."""
    instance = known.instance(known.default_instance)
    claim = known.old_claim
    rows = []
    for scenario in known.scenarios:
        found = scenario_case(known, scenario, instance, price_usd_h=claim.spot_usd_h.value)
        if isinstance(found, NoFit):
            rows.append([scenario.label, "–", "–", "não cabe na instância"])
            continue
        rows.append(
            [scenario.label, number(found.cost.ideal_videos_h, 1), usd(found.cost.ideal_usd), verdict(known, found)]
        )
    return table(["Vídeo de referência", "Vídeos/h (teto)", "Custo de GPU", "A alegação vale?"], rows, align="lrrl")


def verdict(known: Knowledge, found: Case) -> str:
    """Whether the earlier claim of US$ a video holds for a case, and by how much it misses."""
    claim = known.old_claim
    cost = found.cost.ideal_usd
    if cost > claim.max_usd.value:
        return f"não: custa {number(cost / claim.max_usd.value, 1)} vezes o máximo alegado"
    if cost < claim.min_usd.value:
        return "sim, com folga: sai mais barato" if found.cost.ideal_videos_h > claim.max_videos_h.value else "sim"
    return "**sim**"
