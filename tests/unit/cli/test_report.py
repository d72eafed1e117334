"""`report`: what a month cost, by tenant and model."""

from jobs.meters import MeterStore
from jobs.planner import Meter
from jobs.states import State
from jobs.tally import TallyStore
from tests.unit.cli.conftest import Cli
from tests.unit.cli.studio import Studio
from tests.unit.jobs.cloud import TABLE
from tests.unit.jobs.made import T0, queued

MONTH = "2026-09"  # T0's


def given_a_month() -> None:
    job = queued(owner="acme", status=State.COMPLETED, cost_usd=0.5, completed_at=T0)
    TallyStore(TABLE).add(job)
    meter = Meter(
        instance_id="i-1", kind="g5.12xlarge", market="spot", month=MONTH, first_at=T0, seen_at=T0, usd=2.0, boot_s=180
    )
    MeterStore(TABLE).put([meter])


def test_given_a_month_then_its_lines_in_words_json_and_csv(studio: Studio, cli: Cli) -> None:
    given_a_month()

    told = cli("report", "--month", MONTH)
    found = cli("report", "--month", MONTH, "--json").json
    table = cli("report", "--month", MONTH, "--csv").out.splitlines()

    assert told.code == 0, told.err
    assert "US$2.00 for 1 instances" in told.out
    assert (found["usd"], found["boot_s"]) == (2.0, 180.0)
    (line,) = found["lines"]
    assert (line["owner"], line["model"], line["usd"], line["shared_usd"]) == ("acme", "wan-mini", 0.5, 1.5)
    assert line["usd_per_video"] == 2.0
    assert table[0].startswith("month,owner,model,completed")
    assert table[1].startswith(f"{MONTH},acme,wan-mini,1,")


def test_given_what_is_no_month_then_it_is_said(studio: Studio, cli: Cli) -> None:
    refused = cli("report", "--month", "november")

    assert refused.code == 2
    assert "2026-11" in refused.err
