"""The metadata service's client, against a stand-in over loopback."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from gpu_agent.imds import Imds, NoticeKind
from tests.chaos.world.emulator import free_port
from tests.chaos.world.imds import StandInImds


@pytest.fixture
def service() -> Iterator[StandInImds]:
    stand_in = StandInImds()
    yield stand_in
    stand_in.close()


def test_given_many_reads_then_one_token_serves_them_all(service: StandInImds) -> None:
    imds = Imds(service.endpoint)
    assert [imds.get("instance-life-cycle") for _ in range(3)] == ["spot"] * 3
    assert service.tokens_given == 1


def test_given_an_expired_token_then_a_new_one_is_fetched(
    service: StandInImds, monkeypatch: pytest.MonkeyPatch
) -> None:
    imds = Imds(service.endpoint)
    imds.get("instance-life-cycle")
    monkeypatch.setattr("tests.chaos.world.imds.TOKEN", "another")
    assert imds.get("instance-life-cycle") == "spot"
    assert service.tokens_given == 2


def test_given_no_notice_then_there_is_none(service: StandInImds) -> None:
    assert Imds(service.endpoint).notice() is None


def test_given_the_word_none_in_place_of_404_then_there_is_no_notice(service: StandInImds) -> None:
    service.paths["spot/instance-action"] = "none"
    assert Imds(service.endpoint).notice() is None


def test_given_several_notices_then_the_spot_notice_comes_first_with_its_time(service: StandInImds) -> None:
    imds = Imds(service.endpoint)
    service.recommend_rebalance()
    found = imds.notice()
    assert found is not None
    assert found.kind is NoticeKind.REBALANCE
    service.terminate_by_group()
    found = imds.notice()
    assert found is not None
    assert found.kind is NoticeKind.LIFECYCLE
    service.give_spot_notice(in_s=120)
    found = imds.notice()
    assert found is not None
    assert found.kind is NoticeKind.SPOT
    assert found.at_s == pytest.approx(datetime.now(UTC).timestamp() + 120, abs=30)


def test_given_no_service_then_the_read_fails_instead_of_hanging() -> None:
    with pytest.raises(httpx.HTTPError):
        Imds(f"http://127.0.0.1:{free_port()}").notice()
