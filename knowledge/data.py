"""What the files in ``docs/dados`` may hold.

The files are written in Portuguese for the people who keep them; every field has the Portuguese key as its alias. A
number is a :class:`Figure`: it names a source of ``fontes.yaml``, or says that it is our estimate and why.
"""

import statistics
from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")

SourceKind = Literal["preco", "especificacao", "qualidade", "licenca", "medicao"]


class Record(BaseModel):
    """Base of all records: immutable, read by alias, and no unknown key passes (a typing error must not hide)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Acceptance(Record):
    """Why a source past its review period may still be used, and until when."""

    reason: str = Field(alias="motivo", min_length=20)
    until: date = Field(alias="ate")


class Source(Record):
    """Where figures come from. ``page_date`` is the page's own date; stored copies often have none."""

    title: str = Field(alias="titulo")
    url: str | None = None
    kind: SourceKind = Field(alias="tipo")
    read_on: date = Field(alias="lido_em")
    page_date: date | None = Field(default=None, alias="data_da_pagina")
    note: str = Field(default="", alias="nota")
    accepted: Acceptance | None = Field(default=None, alias="vencida_aceita")

    @property
    def as_of(self) -> date:
        """The day the figures stand for: the page's own date, else the day it was read."""
        return self.page_date or self.read_on


class Figure(Record):
    """One number, and where it comes from. Units are in the name of the field that holds it."""

    value: float = Field(alias="valor")
    source: str | None = Field(default=None, alias="fonte")
    estimate: bool = Field(default=False, alias="estimativa")
    reason: str = Field(default="", alias="motivo")
    note: str = Field(default="", alias="nota")

    @model_validator(mode="after")
    def _has_provenance(self) -> Self:
        if (self.source is not None) == self.estimate:
            raise ValueError(f"{self.value}: give either fonte or estimativa: true")
        if self.estimate and not self.reason:
            raise ValueError(f"{self.value}: an estimate needs its motivo")
        return self


class Rating(Figure):
    """A published quality measure; the scale stands in its name."""

    name: str = Field(alias="nome")


class OwnRatings(Record):
    """Our own marks, 1 to 5, each an estimate with its reason."""

    picture: Figure = Field(alias="imagem")
    motion: Figure = Field(alias="movimento")
    character: Figure = Field(alias="personagem")


class ModelFacts(Record):
    """What is known of a model beyond the catalog."""

    id: str
    name: str = Field(alias="nome")
    author: str = Field(alias="autor")
    parameters_b: Figure = Field(alias="parametros_b")
    architecture: str = Field(alias="arquitetura")
    text_encoder: str = Field(alias="codificador_de_texto")
    max_duration_s: Figure = Field(alias="duracao_max_s")
    multi_shot: Literal["nativo", "por-plano"]
    consistency: str = Field(alias="consistencia")
    published_memory_gib: Figure = Field(alias="memoria_publicada_gib")
    marks: OwnRatings = Field(alias="notas")
    ratings: tuple[Rating, ...] = Field(alias="avaliacoes")


class Instance(Record):
    """One EC2 instance type with GPUs, and what an hour of it costs in the region."""

    type: str = Field(alias="tipo")
    gpu: str
    gpus: Annotated[int, Field(gt=0)]
    gpu_gib: Figure = Field(alias="vram_gib")
    vcpus: Figure
    host_gib: Figure = Field(alias="ram_gib")
    on_demand_usd_h: Figure = Field(alias="sob_demanda_usd_h")
    spot_usd_h: tuple[Figure, ...] = Field(min_length=1)
    in_default_quota: bool = Field(alias="na_cota_padrao")

    @property
    def spot_median_usd_h(self) -> float:
        return statistics.median(figure.value for figure in self.spot_usd_h)

    @property
    def spot_saving(self) -> float:
        """Share of the on-demand price that Spot saves, 0 to 1."""
        return 1 - self.spot_median_usd_h / self.on_demand_usd_h.value


class Service(Record):
    """A commercial service; it charges by the second or by the clip."""

    id: str
    name: str = Field(alias="nome")
    status: Literal["ativo", "encerrado"] = Field(alias="situacao")
    ended_on: date | None = Field(default=None, alias="encerrado_em")
    resolution: str = Field(alias="resolucao")
    usd_per_second: Figure | None = Field(default=None, alias="usd_por_segundo")
    usd_per_clip: Figure | None = Field(default=None, alias="usd_por_clipe")
    clip_s: float | None = Field(default=None, alias="clipe_s")
    multi_shot: str
    remark: str = Field(alias="observacao")

    @model_validator(mode="after")
    def _has_one_price(self) -> Self:
        if (self.usd_per_second is None) == (self.usd_per_clip is None):
            raise ValueError(f"{self.id}: give usd_por_segundo or usd_por_clipe, one of them")
        if (self.usd_per_clip is None) != (self.clip_s is None):
            raise ValueError(f"{self.id}: usd_por_clipe and clipe_s go together")
        if (self.status == "encerrado") != (self.ended_on is not None):
            raise ValueError(f"{self.id}: encerrado_em goes with situacao encerrado")
        return self

    @property
    def price(self) -> Figure:
        """The figure the service publishes, per second or per clip."""
        figure = self.usd_per_second or self.usd_per_clip
        assert figure is not None  # the validator saw to it
        return figure

    @property
    def active(self) -> bool:
        return self.status == "ativo"

    def usd_a_second(self) -> float:
        """US$ for one second of video."""
        return self.price.value / (self.clip_s or 1)


class Scenario(Record):
    """One whole request the document reasons about."""

    id: str
    model: str = Field(alias="modelo")
    label: str = Field(alias="rotulo")
    size: str = Field(alias="tamanho")
    num_frames: int = Field(alias="quadros")
    num_inference_steps: int = Field(alias="passos")
    guidance_scale: float | None = Field(default=None, alias="guidance")
    shots: Annotated[int, Field(ge=1)] = Field(default=1, alias="planos")


class Assumptions(Record):
    """What the computations suppose; each is a figure and may be changed in ``premissas.yaml``."""

    hours_a_month: Figure = Field(alias="horas_por_mes")
    quota_vcpus: Figure = Field(alias="cota_vcpus")
    busy_share: Figure = Field(alias="ocupacao")
    lost_share: Figure = Field(alias="perda_por_interrupcao")
    fixed_usd_month: Figure = Field(alias="custo_fixo_usd_mes")
    variable_usd: Figure = Field(alias="custo_variavel_usd")
    operation_h_month: Figure = Field(alias="horas_operacao_mes")
    operation_usd_h: Figure = Field(alias="usd_hora_operacao")
    takes_per_delivery: Figure = Field(alias="tentativas_por_entrega")
    lora_images: Figure = Field(alias="imagens_lora")
    lora_training_h: Figure = Field(alias="horas_treino_lora")
    shots_a_scene: Figure = Field(alias="planos_por_cena")
    distilled_divisor: Figure = Field(alias="divisor_destilado")
    pilot_videos: Figure = Field(alias="videos_piloto")
    pilot_tolerance: Figure = Field(alias="tolerancia_piloto")


class OldClaim(Record):
    """The earlier estimate that the document puts to the test."""

    min_usd: Figure = Field(alias="custo_min_usd")
    max_usd: Figure = Field(alias="custo_max_usd")
    min_videos_h: Figure = Field(alias="videos_min_h")
    max_videos_h: Figure = Field(alias="videos_max_h")
    spot_usd_h: Figure
    spot_saving: Figure = Field(alias="economia_spot")


class Knowledge(Record):
    """All of ``docs/dados``, checked against itself: every source named exists, every id is used once."""

    sources: dict[str, Source]
    cited: frozenset[str]
    models: tuple[ModelFacts, ...]
    recommended: tuple[str, ...]
    fysics_reference: tuple[Rating, ...]
    region: str
    instances: tuple[Instance, ...]
    services: tuple[Service, ...]
    closures: dict[str, date]
    scenarios: tuple[Scenario, ...]
    main_scenario: str
    assumptions: Assumptions
    old_claim: OldClaim
    review_days: dict[SourceKind, int]
    default_instance: str
    sale_prices_usd: tuple[float, ...]
    monthly_volumes: tuple[int, ...]

    @model_validator(mode="after")
    def _refers_to_itself(self) -> Self:
        for kind, ids in {
            "modelo": [model.id for model in self.models],
            "serviço": [service.id for service in self.services],
            "cenário": [scenario.id for scenario in self.scenarios],
            "instância": [instance.type for instance in self.instances],
        }.items():
            if len(set(ids)) != len(ids):
                raise ValueError(f"{kind}: an id stands twice in {ids}")
        self.instance(self.default_instance)
        self.scenario(self.main_scenario)
        for model_id in self.recommended:
            self.model(model_id)
        return self

    def model(self, model_id: str) -> ModelFacts:
        return _one(self.models, model_id, lambda model: model.id)

    def instance(self, instance_type: str) -> Instance:
        return _one(self.instances, instance_type, lambda instance: instance.type)

    def service(self, service_id: str) -> Service:
        return _one(self.services, service_id, lambda service: service.id)

    def scenario(self, scenario_id: str) -> Scenario:
        return _one(self.scenarios, scenario_id, lambda scenario: scenario.id)


class UnknownEntry(KeyError):
    """No record of that id in ``docs/dados``."""

    def __init__(self, wanted: str, known: tuple[str, ...]) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.known = known

    def __str__(self) -> str:
        return f"{self.wanted!r} is not in docs/dados; known: {', '.join(self.known)}"


def _one(records: tuple[T, ...], wanted: str, key: Callable[[T], str]) -> T:
    for record in records:
        if key(record) == wanted:
            return record
    raise UnknownEntry(wanted, tuple(key(record) for record in records))
