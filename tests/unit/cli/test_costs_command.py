"""`revalida costs` through the command line, as a person or a script calls it."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner, Result

from cli.main import app


def revalida(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["costs", *arguments])


def test_given_nothing_when_asked_then_every_published_model_has_a_line() -> None:
    result = revalida()
    assert result.exit_code == 0
    assert "wan2.2-t2v-a14b" in result.output
    assert "wan-mini" not in result.output


def test_given_one_model_as_json_when_asked_then_case_month_and_services_are_there() -> None:
    result = revalida("--model", "wan2.2-t2v-a14b", "--instance", "g6e.12xlarge", "--volume", "1000", "--json")
    answer = json.loads(result.output)
    assert answer["case"]["instance"] == "g6e.12xlarge"
    assert answer["volume"]["videos_month"] == 1000
    assert answer["services"]


def test_given_another_spot_price_when_asked_then_the_cost_follows_it() -> None:
    answers = (json.loads(revalida("--model", "ltx-video", "--spot-price", usd, "--json").output) for usd in ("1", "2"))
    one, two = (answer["case"]["cost"]["ideal_usd"] for answer in answers)
    assert two == pytest.approx(2 * one)


def test_given_seconds_when_asked_then_they_become_the_model_s_frames() -> None:
    answer = json.loads(revalida("--model", "wan2.2-t2v-a14b", "--seconds", "5", "--json").output)
    assert answer["case"]["num_frames"] == 81


def test_given_csv_when_asked_then_it_has_a_head_and_a_row_for_each_model() -> None:
    rows = list(csv.DictReader(io.StringIO(revalida("--format", "csv").output)))
    assert {"model", "usd", "videos_h", "refused"} <= rows[0].keys()
    assert all(float(row["usd"]) > 0 for row in rows if not row["refused"])


def test_given_one_model_for_eyes_when_asked_then_the_services_stand_below() -> None:
    result = revalida("--model", "wan2.2-ti2v-5b", "--volume", "500")
    assert result.exit_code == 0
    assert "500 a month" in result.output
    assert "Runway" in result.output
    assert "ended" in result.output  # Sora


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--model", "nope"), "nope"),
        (("--model", "wan2.2-t2v-a14b", "--size", "833x480"), "833x480"),
        (("--model", "wan2.2-t2v-a14b", "--seconds", "4.7"), "4.7"),
        (("--model", "wan2.2-t2v-a14b", "--seconds", "5", "--frames", "81"), "both given"),
        (("--size", "832x480"), "--model"),
        (("--instance", "g5.99xlarge"), "g5.99xlarge"),
    ],
)
def test_given_a_wrong_question_when_asked_then_one_line_says_what_and_the_code_is_2(
    arguments: tuple[str, ...], named: str
) -> None:
    result = revalida(*arguments)
    assert result.exit_code == 2
    assert named in result.stderr
    assert "Next: " in result.stderr
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)


def test_given_an_instance_that_is_too_small_when_asked_then_the_code_is_that_of_a_refusal() -> None:
    result = revalida("--model", "holocine-14b", "--size", "1280x720", "--frames", "241", "--json")
    assert result.exit_code == 5
    assert json.loads(result.stderr)["error"]["exit_code"] == 5
