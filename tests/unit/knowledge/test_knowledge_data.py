"""The data of the documents: every number has its provenance, and what the files name exists."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from knowledge.data import Figure, Instance, Knowledge, Service, UnknownEntry
from knowledge.load import DATA_DIR, load
from models import catalog, estimate


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return load()


def test_given_a_number_without_source_or_reason_when_read_then_it_is_refused() -> None:
    with pytest.raises(ValidationError, match="fonte or estimativa"):
        Figure.model_validate({"valor": 1.7})


def test_given_an_estimate_without_its_reason_when_read_then_it_is_refused() -> None:
    with pytest.raises(ValidationError, match="motivo"):
        Figure.model_validate({"valor": 1.7, "estimativa": True})


def test_given_a_figure_that_is_both_sourced_and_estimated_when_read_then_it_is_refused() -> None:
    with pytest.raises(ValidationError, match="fonte or estimativa"):
        Figure.model_validate({"valor": 1.7, "fonte": "x", "estimativa": True, "motivo": "y"})


def test_given_a_misspelt_key_when_read_then_it_is_refused() -> None:
    with pytest.raises(ValidationError, match="valro"):
        Figure.model_validate({"valro": 1.7, "valor": 1.7, "fonte": "x"})


@pytest.mark.parametrize(
    "change",
    [
        {"usd_por_clipe": {"valor": 1, "fonte": "x"}, "clipe_s": 5},
        {"usd_por_segundo": None},
        {"situacao": "encerrado"},
    ],
)
def test_given_a_service_with_two_prices_none_or_no_end_when_read_then_it_is_refused(change: dict[str, object]) -> None:
    service = {
        "id": "s",
        "nome": "S",
        "situacao": "ativo",
        "resolucao": "720p",
        "usd_por_segundo": {"valor": 0.1, "fonte": "x"},
        "multi_shot": "não",
        "observacao": "",
    }
    with pytest.raises(ValidationError):
        Service.model_validate({**service, **change})


def test_given_a_price_by_the_clip_when_asked_by_the_second_then_it_is_divided(known: Knowledge) -> None:
    pika = known.service("pika-22")
    assert pika.clip_s == 5
    assert pika.usd_a_second() == pytest.approx(pika.price.value / 5)


def test_given_prices_by_zone_when_the_spot_price_is_asked_then_it_is_their_median() -> None:
    prices = [{"valor": value, "fonte": "x"} for value in (3.0, 1.0, 2.0)]
    figure = {"valor": 4.0, "fonte": "x"}
    instance = Instance.model_validate(
        {"tipo": "t", "gpu": "A10G", "gpus": 4, "vram_gib": figure, "vcpus": figure, "ram_gib": figure,
         "sob_demanda_usd_h": figure, "spot_usd_h": prices, "na_cota_padrao": True}
    )  # fmt: skip
    assert instance.spot_median_usd_h == 2.0
    assert instance.spot_saving == pytest.approx(0.5)


def test_given_an_id_that_stands_twice_when_read_then_it_is_refused(known: Knowledge) -> None:
    doubled = known.model_dump(by_alias=False) | {"services": (*known.services, known.services[0])}
    with pytest.raises(ValidationError, match="twice"):
        Knowledge.model_validate(doubled)


def test_given_an_unknown_instance_when_asked_for_then_the_known_ones_are_named(known: Knowledge) -> None:
    with pytest.raises(UnknownEntry, match=r"g5\.12xlarge"):
        known.instance("g5.99xlarge")


def test_given_the_data_when_compared_with_the_catalog_then_every_model_of_theirs_is_in_it(known: Knowledge) -> None:
    ids = {spec.id for spec in catalog.all_models()}
    assert {facts.id for facts in known.models} <= ids
    assert {scenario.model for scenario in known.scenarios} <= ids


def test_given_the_data_when_compared_with_themselves_then_every_model_has_a_reference_video(known: Knowledge) -> None:
    assert {facts.id for facts in known.models} <= {scenario.model for scenario in known.scenarios}


def test_given_the_instances_when_compared_with_the_estimate_then_they_have_the_same_shape(known: Knowledge) -> None:
    for instance in known.instances:
        offer = estimate.OFFERS[instance.type]
        assert (offer.kind, offer.gpus, offer.vcpus, offer.host_gib) == (
            instance.gpu,
            instance.gpus,
            instance.vcpus.value,
            instance.host_gib.value,
        )


def test_given_the_three_recommended_models_when_read_then_one_has_native_shots(known: Knowledge) -> None:
    native = [name for name in known.recommended if catalog.get(name).multi_shot == "native"]
    assert native == ["holocine-14b"]
    assert [facts.id for facts in known.models if facts.multi_shot == "nativo"] == native


def test_given_sora_when_read_then_it_ended_on_the_announced_day(known: Knowledge) -> None:
    assert not known.service("sora-2").active
    assert str(known.service("sora-2").ended_on) == "2026-09-24"


@pytest.mark.parametrize("path", sorted(DATA_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_given_a_data_file_when_read_then_no_key_stands_twice_in_a_mapping(path: Path) -> None:
    class Strict(yaml.SafeLoader):
        pass

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[object, object]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"{path.name}: {keys}"
        return {}

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    yaml.load(path.read_text(encoding="utf-8"), Loader=Strict)
