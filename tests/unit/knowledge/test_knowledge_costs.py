"""The arithmetic of money, against sums done by hand."""

import pytest

from knowledge.costs import (
    Running,
    break_even_a_month,
    ideal_videos_an_hour,
    instances_needed,
    monthly_return,
    unit_cost,
)

HALF_USED = Running(busy_share=0.5, lost_share=0.2, variable_usd=0.01, fixed_usd_month=100, hours_a_month=730)


def test_given_four_workers_and_half_an_hour_a_video_when_counted_then_eight_come_an_hour() -> None:
    assert ideal_videos_an_hour(1800, 4) == 8


def test_given_the_old_claim_when_divided_then_its_two_halves_agree() -> None:
    """US$ 1.70 an hour over 4 to 6 videos is US$ 0.28 to 0.42 a video."""
    assert pytest.approx(0.28, abs=0.005) == 1.70 / 6
    assert pytest.approx(0.42, abs=0.006) == 1.70 / 4


def test_given_hours_half_used_and_a_fifth_lost_when_costed_then_the_cost_rises_by_both() -> None:
    cost = unit_cost(seconds_a_video=1800, slots=4, price_usd_h=2.0, running=HALF_USED)
    assert cost.ideal_usd == pytest.approx(0.25)
    assert cost.videos_h == pytest.approx(8 * 0.5 * 0.8)
    assert cost.usd == pytest.approx(2.0 / 3.2 + 0.01)


@pytest.mark.parametrize(("seconds", "slots"), [(0, 4), (-1, 4), (1800, 0)])
def test_given_no_time_or_no_worker_when_counted_then_it_is_refused(seconds: float, slots: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        ideal_videos_an_hour(seconds, slots)


@pytest.mark.parametrize(("busy", "lost"), [(0, 0), (1.1, 0), (0.5, 1), (0.5, -0.1)])
def test_given_shares_that_are_none_when_made_then_they_are_refused(busy: float, lost: float) -> None:
    with pytest.raises(ValueError, match="shares"):
        Running(busy_share=busy, lost_share=lost, variable_usd=0, fixed_usd_month=0, hours_a_month=730)


def test_given_a_service_dearer_by_ten_cents_when_the_fixed_cost_is_380_then_it_pays_from_3800_videos() -> None:
    assert break_even_a_month(service_usd=0.50, own_usd=0.40, fixed_usd_month=380) == pytest.approx(3800)


@pytest.mark.parametrize("service_usd", [0.40, 0.30])
def test_given_a_service_no_dearer_when_compared_then_it_never_pays(service_usd: float) -> None:
    assert break_even_a_month(service_usd=service_usd, own_usd=0.40, fixed_usd_month=380) is None


def test_given_a_volume_when_spread_over_the_month_then_instances_are_rounded_up() -> None:
    assert instances_needed(7300, 5, 730) == 2
    assert instances_needed(7301, 5, 730) == 3
    assert instances_needed(1, 5, 730) == 1


def test_given_two_takes_a_delivery_when_sold_then_both_are_paid_for() -> None:
    month = monthly_return(volume=100, sale_usd=10, usd=0.5, takes=2, fixed_usd_month=400)
    assert month.cost_usd == pytest.approx(500)
    assert month.profit_usd == pytest.approx(500)
    assert month.margin == pytest.approx(0.5)
    assert month.roi == pytest.approx(1.0)
