"""What a machine offers while it runs: weights may come to the bucket, and the bucket may not answer."""

from pathlib import Path

import pytest

from gpu_agent.offering import Offering
from gpu_agent.offers import Gpu
from models.weights.errors import WeightsUnavailable

MODEL = "wan2.2-t2v-a14b"
GPUS = (Gpu(index=0, name="NVIDIA A10G", memory_mib=23_028),)


def test_given_weights_that_come_while_it_runs_then_their_model_is_offered(tmp_path: Path) -> None:
    there: set[str] = set()
    offering = Offering(GPUS, tmp_path, lambda: frozenset(there))
    assert MODEL not in offering.models
    assert not offering.look()

    there.add(MODEL)

    assert offering.look()
    assert MODEL in offering.models


def test_given_a_bucket_that_does_not_answer_then_what_was_known_stays_offered(tmp_path: Path) -> None:
    answers = [frozenset({MODEL})]

    def listed() -> frozenset[str]:
        if not answers:
            raise WeightsUnavailable("no answer")
        return answers.pop()

    offering = Offering(GPUS, tmp_path, listed)

    assert not offering.look()
    assert MODEL in offering.models


def test_given_a_change_that_could_not_be_told_then_the_next_look_tells_of_it_once(tmp_path: Path) -> None:
    """The look that finds it comes once; without its word no door takes requests for the model for an hour."""
    there: set[str] = set()
    offering = Offering(GPUS, tmp_path, lambda: frozenset(there))
    told: list[bool] = []

    def refuse() -> None:
        raise ConnectionError("the table does not answer")

    def tell() -> None:
        told.append(MODEL in offering.models)

    offering.look_and_tell(tell)
    assert told == []
    there.add(MODEL)
    with pytest.raises(ConnectionError):
        offering.look_and_tell(refuse)

    offering.look_and_tell(tell)
    offering.look_and_tell(tell)

    assert told == [True]
