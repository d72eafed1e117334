"""Arrivals and market: drawn once by a seed, with the means and the rules that they promise."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from models import placement
from simulator.arrivals import draw
from simulator.market import Pool
from simulator.scenario import Demand, Fleet, Market
from simulator.work import DoesNotFit, videos


@pytest.mark.parametrize("pattern", ["poisson", "daily", "bursts"])
def test_given_a_rate_then_so_many_videos_in_order_and_the_same_again(pattern: str) -> None:
    demand = Demand.model_validate({"pattern": pattern, "videos_per_hour": 100, "hours": 240, "burst_videos": 10})

    first, again = draw(demand, 7), draw(demand, 7)

    assert len(first.time_s) == pytest.approx(24_000, rel=0.05)
    assert (np.diff(first.time_s) >= 0).all()
    assert first.time_s[-1] <= 240 * 3600
    assert (first.time_s == again.time_s).all()
    assert (first.model == again.model).all()
    assert len(draw(demand, 8).time_s) != len(first.time_s)


def test_given_a_mix_then_its_shares() -> None:
    demand = Demand(pattern="poisson", videos_per_hour=100, hours=100, mix={"wan2.2-ti2v-5b": 3, "mochi-1": 1})

    drawn = draw(demand, 1)

    assert np.mean(drawn.model == drawn.models.index("mochi-1")) == pytest.approx(0.25, abs=0.02)


def test_given_days_then_noon_is_busier_than_midnight() -> None:
    drawn = draw(Demand(pattern="daily", videos_per_hour=100, hours=480), 1)
    hour = drawn.time_s // 3600 % 24

    assert np.sum(hour == 12) > 3 * np.sum(hour == 0)


def test_given_bursts_then_half_the_videos_come_with_others_at_the_same_second() -> None:
    drawn = draw(Demand(pattern="bursts", videos_per_hour=100, hours=240), 1)
    _, counts = np.unique(drawn.time_s, return_counts=True)

    assert counts[counts > 1].sum() / counts.sum() == pytest.approx(0.5, abs=0.1)


def test_given_a_csv_then_its_rows_by_time(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("time_s,model,priority\n60,mochi-1,1\n5,wan2.2-t2v-a14b:4,\n")

    drawn = draw(Demand(pattern="csv", csv=file), 1)

    named = [drawn.models[index] for index in drawn.model]
    assert list(zip(drawn.time_s, named, drawn.priority, strict=True)) == [
        (5.0, "wan2.2-t2v-a14b:4", 0),
        (60.0, "mochi-1", 1),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time_s,model\n5,mochi-1\n6,nope\n", "line 3: nope"),
        ("time_s,model\nsoon,mochi-1\n", "line 2: could not convert"),
        ("when,model\n5,mochi-1\n", "line 2: the column 'time_s' is missing"),
        ("time_s,model\n-1,mochi-1\n", "line 2: time_s must be zero or more"),
    ],
)
def test_given_a_bad_csv_then_the_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "own.csv"
    file.write_text(text)

    with pytest.raises(ValueError, match=words):
        draw(Demand(pattern="csv", csv=file), 1)


def test_given_a_model_that_the_catalog_has_not_or_steps_beyond_it_then_it_is_named() -> None:
    with pytest.raises(ValidationError, match="sora"):
        Demand(mix={"sora": 1.0})
    with pytest.raises(ValidationError, match="steps"):
        Demand(mix={"wan2.2-t2v-a14b:100000": 1.0})


def test_given_four_steps_then_a_draft_takes_a_twentieth_and_less_than_the_whole() -> None:
    whole, draft = videos(("wan2.2-t2v-a14b", "wan2.2-t2v-a14b:4"), Fleet())

    assert draft.steps == 4
    assert draft.compute_s < whole.compute_s / 10


def test_given_a_model_that_does_not_fit_the_slot_then_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = placement.Refusal(code="gpu_memory", reason="needs 30 GiB of 22", nearest_slot=None, nearest_work=None)
    monkeypatch.setattr(placement, "plan", lambda *_: refusal)

    with pytest.raises(DoesNotFit, match=r"mochi-1 on A10Gx1: .*needs 30 GiB of 22"):
        videos(("mochi-1",), Fleet())


def test_given_two_fleets_that_hold_the_same_place_then_they_meet_the_same_interruptions() -> None:
    spec = Market(interruption_mean_h=5.0, reclaim_share=0.0)
    one, other = Pool(spec, 3, 0), Pool(spec, 3, 0)
    other.next_reclaim(9, 0.0)  # looking at another place changes nothing

    assert [one.next_reclaim(2, hour * 3600.0) for hour in range(50)] == [
        other.next_reclaim(2, hour * 3600.0) for hour in range(50)
    ]
    assert one.next_reclaim(0, 0.0) != one.next_reclaim(1, 0.0)


def test_given_a_market_then_lives_and_dry_spells_have_their_means() -> None:
    pool = Pool(Market(interruption_mean_h=10.0, open_h=30.0, dry_h=10.0, reclaim_share=0.0), 1, 0)
    hours = 20_000
    open_hours = sum(pool.is_open(hour * 3600.0) for hour in range(hours))
    reclaims, at_s = 0, 0.0
    while (at_s := pool.next_reclaim(0, at_s).at_s) < hours * 3600.0:
        reclaims += 1

    assert open_hours / hours == pytest.approx(0.75, abs=0.05)
    assert reclaims == pytest.approx(hours / 10.0, rel=0.1)


def test_given_a_pool_that_goes_dry_then_it_takes_its_instances_back() -> None:
    pool = Pool(Market(interruption_mean_h=1e6, open_h=10.0, dry_h=5.0, reclaim_share=1.0), 1, 0)
    reclaim = pool.next_reclaim(0, 0.0)

    assert pool.is_open(reclaim.at_s - 1.0)
    assert not pool.is_open(reclaim.at_s + 1.0)


def test_given_places_that_were_given_back_then_the_lowest_is_taken_again() -> None:
    pool = Pool(Market(), 1, 0)
    assert [pool.take() for _ in range(3)] == [0, 1, 2]
    pool.free += [1, 0]

    assert [pool.take() for _ in range(3)] == [0, 1, 3]
