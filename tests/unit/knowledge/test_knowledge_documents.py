"""The documents are what the data say: rendered anew they equal the files in docs/, and they follow a changed datum."""

import re
from pathlib import Path

import jinja2
import pytest

from knowledge import plots, render
from knowledge.data import Figure, Knowledge
from knowledge.load import load
from knowledge.markdown import footnotes, reference, table
from knowledge.render import DOCS_DIR, DOCUMENTS, DoesNotFit

ANALYSIS = "analise.md.j2"


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return load()


@pytest.fixture(scope="module")
def analysis(known: Knowledge) -> str:
    return render.render(ANALYSIS, known)


def with_spot_price(known: Knowledge, usd: float) -> Knowledge:
    prices = (Figure(value=usd, source="skypilot-aws"),)
    instances = tuple(
        instance.model_copy(update={"spot_usd_h": prices}) if instance.type == known.default_instance else instance
        for instance in known.instances
    )
    return known.model_copy(update={"instances": instances})


def test_given_the_files_in_docs_when_rendered_anew_then_none_is_stale(known: Knowledge) -> None:
    """Fails after a change of data or template: run `make docs` and read the diff."""
    assert render.stale(known) == []


def test_given_a_number_edited_by_hand_when_checked_then_the_document_is_stale(
    known: Knowledge, tmp_path: Path
) -> None:
    for name in DOCUMENTS.values():
        (tmp_path / name).write_text((DOCS_DIR / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert render.stale(known, tmp_path) == []
    edited = tmp_path / "analise-modelos-text-to-video.md"
    edited.write_text(edited.read_text(encoding="utf-8").replace("US$ ", "US$ 9", 1), encoding="utf-8")
    assert render.stale(known, tmp_path) == ["analise-modelos-text-to-video.md"]


def test_given_a_missing_document_when_checked_then_it_is_stale(known: Knowledge, tmp_path: Path) -> None:
    assert set(render.stale(known, tmp_path)) == set(DOCUMENTS.values())


def test_given_a_doubled_spot_price_when_rendered_then_prose_and_tables_both_follow(known: Knowledge) -> None:
    cheap, dear = (render.render(ANALYSIS, with_spot_price(known, usd)) for usd in (1.0, 2.0))
    prose = re.compile(r"e custa \*\*US\$ (\d+,\d+)\*\*")
    row = re.compile(r"^\| Wan 2\.2 A14B, 480p, 5 s \|.*\| US\$ (\d+,\d+) \|$", re.M)
    for text in (cheap, dear):
        in_prose, in_table = prose.search(text), row.search(text)
        assert in_prose is not None
        assert in_table is not None
        assert in_prose[1] == in_table[1]
    assert prose.search(cheap)[1] != prose.search(dear)[1]  # type: ignore[index]


def test_given_the_analysis_when_read_then_it_has_its_ten_sections_and_a_history(analysis: str) -> None:
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", analysis, re.M)]
    assert numbers == list(range(1, 11))
    assert "## Histórico de versões" in analysis


def test_given_the_questions_when_counted_then_there_are_twelve_and_each_has_an_answer(analysis: str) -> None:
    answers = re.split(r"^### 9\.\d+ .*\?$", analysis, flags=re.M)[1:]
    assert len(answers) == 12
    assert all(len(answer.strip()) > 400 for answer in answers)


def test_given_the_references_when_followed_then_every_footnote_is_defined_once(analysis: str) -> None:
    used = set(re.findall(r"\[\^([^\]]+)\](?!:)", analysis))
    defined = re.findall(r"^\[\^([^\]]+)\]:", analysis, re.M)
    assert sorted(defined) == sorted(used)


def test_given_a_source_past_its_period_when_cited_then_the_footnote_says_so(known: Knowledge) -> None:
    assert "Fora do prazo de revisão" in footnotes(known, "x[^skypilot-aws]")
    assert "Fora do prazo de revisão" not in footnotes(known, "x[^pika-fal]")


def test_given_an_estimate_when_cited_then_it_is_marked_as_ours() -> None:
    assert reference(Figure(value=1, estimate=True, reason="because")) == "[^estimativa]"


def test_given_a_name_the_template_does_not_know_when_rendered_then_it_is_an_error(known: Knowledge) -> None:
    with pytest.raises(jinja2.UndefinedError):
        render.environment(known).from_string("{{ p.no_such_assumption.value }}").render()


def test_given_a_case_that_fits_no_gpu_when_a_template_speaks_of_it_then_it_is_an_error(
    known: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = known.instance(known.default_instance)
    small = instance.model_copy(update={"host_gib": Figure(value=2.0, source="skypilot-aws")})
    poor = known.model_copy(update={"instances": (small, *known.instances[1:])})
    with pytest.raises(DoesNotFit, match="wan-480p"):
        render.environment(poor).from_string("{{ caso('wan-480p') }}").render()


def test_given_a_row_of_another_width_when_tabled_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 heads"):
        table(["a", "b"], [["1"]])


@pytest.mark.parametrize("name", plots.PLOTS)
def test_given_a_plot_when_drawn_twice_then_both_are_the_file_in_docs_byte_for_byte(
    name: str, known: Knowledge, tmp_path: Path
) -> None:
    for turn in ("first.svg", "second.svg"):
        plots.draw(name, known, tmp_path / turn)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()
    assert (tmp_path / "first.svg").read_bytes() == (plots.PLOT_DIR / name).read_bytes()
