"""Which figures a person has to look at again."""

from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from knowledge.__main__ import app
from knowledge.data import Acceptance, Figure, Knowledge, Source
from knowledge.load import load
from knowledge.review import figures, findings

READ = date(2026, 11, 22)


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return load()


def with_source(known: Knowledge, name: str, **changes: object) -> Knowledge:
    source = known.sources[name].model_copy(update=changes)
    return known.model_copy(update={"sources": {**known.sources, name: source}})


def newest_reading(known: Knowledge) -> date:
    return max(source.read_on for source in known.sources.values())


def test_given_the_data_when_reviewed_on_the_day_of_its_newest_reading_then_nothing_is_left_to_do(
    known: Knowledge,
) -> None:
    """Whoever reads a page reads again those that are past their period (docs/nova-entrada.md says how). That days have
    gone by since is told by `make docs-check`: no test fails by the calendar alone."""
    assert [str(finding) for finding in findings(known, newest_reading(known))] == []
    assert newest_reading(known) <= datetime.now(UTC).date()


def test_given_a_day_when_prices_are_too_old_when_checked_by_command_then_it_fails_and_says_what_to_do(
    known: Knowledge,
) -> None:
    late = newest_reading(known) + timedelta(days=known.review_days["preco"] + 1)
    told = CliRunner().invoke(app, ["check", "--on", f"{late}"])
    assert told.exit_code == 1
    assert "pika-fal" in told.output
    assert "read it again" in told.output


def test_given_a_price_past_three_months_when_reviewed_then_it_is_named(known: Knowledge) -> None:
    late = READ + timedelta(days=known.review_days["preco"] + 1)
    assert any("pika-fal" in finding.where and "read it again" in finding.problem for finding in findings(known, late))


def test_given_a_price_on_its_last_day_when_reviewed_then_it_passes(known: Knowledge) -> None:
    last = READ + timedelta(days=known.review_days["preco"])
    assert not any("pika-fal" in finding.where for finding in findings(known, last))


def test_given_a_page_with_an_old_date_of_its_own_when_reviewed_then_reading_it_today_does_not_help(
    known: Knowledge,
) -> None:
    old = with_source(known, "pika-fal", page_date=date(2026, 1, 1))
    assert any("pika-fal" in finding.where for finding in findings(old, READ))


def test_given_an_old_price_that_was_accepted_when_reviewed_then_it_passes_until_that_day_only(
    known: Knowledge,
) -> None:
    accepted = Acceptance(reason="the only copy there is, checked against two others", until=date(2027, 1, 31))
    old = with_source(known, "pika-fal", page_date=date(2026, 1, 1), accepted=accepted)
    assert not any("pika-fal" in finding.where for finding in findings(old, date(2027, 1, 31)))
    assert any("until 2027-01-31 only" in finding.problem for finding in findings(old, date(2027, 2, 1)))


def test_given_the_price_of_a_service_that_ended_when_reviewed_years_later_then_it_is_history(known: Knowledge) -> None:
    assert not any("sora-fim" in finding.where for finding in findings(known, date(2030, 1, 1)))


def test_given_a_figure_that_cites_no_known_source_when_reviewed_then_its_place_is_named(known: Knowledge) -> None:
    services = tuple(
        service.model_copy(update={"usd_per_second": Figure(value=0.1, source="nowhere")})
        if service.id == "runway-gen45"
        else service
        for service in known.services
    )
    found = findings(known.model_copy(update={"services": services}), READ)
    assert any("services[runway-gen45]" in finding.where and "nowhere" in finding.problem for finding in found)


def test_given_a_source_nobody_uses_when_reviewed_then_it_is_named(known: Knowledge) -> None:
    spare = Source(title="Spare", kind="preco", read_on=READ)
    found = findings(known.model_copy(update={"sources": {**known.sources, "spare": spare}}), READ)
    assert [finding.where for finding in found] == ["fontes.spare"]


def test_given_a_source_read_tomorrow_when_reviewed_then_it_is_named(known: Knowledge) -> None:
    early = with_source(known, "pika-fal", read_on=READ + timedelta(days=1))
    assert any("after" in finding.problem for finding in findings(early, READ))


def test_given_all_data_when_walked_then_every_estimate_says_why(known: Knowledge) -> None:
    estimates = [figure for _, figure in figures(known) if figure.estimate]
    assert estimates
    assert all(len(figure.reason) > 10 for figure in estimates)
