"""What is refused, as the unmodified `openai` SDK raises it, and what it repeats."""

import uuid
from typing import Any

import openai
import pytest

from jobs.errors import WriteContention
from jobs.keys import Scope
from jobs.limits import Limits
from lambdas import services
from tests.contract.conftest import GOOD, Studio


def test_given_a_wrong_field_then_bad_request_names_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.videos.create(**{**GOOD, "seconds": "11"})

    assert (refused.value.param, refused.value.type) == ("seconds", "invalid_request_error")
    assert refused.value.code


def test_given_a_wrong_key_then_an_authentication_error(studio: Studio) -> None:
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=studio.base_url, api_key="sk-" + "x" * 40).videos.list()


def test_given_another_owners_video_then_not_found(studio: Studio, client: openai.OpenAI) -> None:
    video = client.videos.create(**GOOD)

    with pytest.raises(openai.NotFoundError):
        studio.openai("somebody-else").videos.retrieve(video.id)


def test_given_too_many_changes_at_once_then_a_rate_limit_error(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = client.videos.create(**GOOD)

    def contended(*_arguments: Any, **_named: Any) -> Any:
        raise WriteContention(video.id)

    monkeypatch.setattr(services.store(), "cancel", contended)
    with pytest.raises(openai.RateLimitError) as busy:
        client.with_options(max_retries=0).post(f"/videos/{video.id}/cancel", cast_to=object)

    assert (busy.value.code, busy.value.response.headers["retry-after"]) == ("busy", "1")


def limited(studio: Studio, *scopes: Scope, **limits: Any) -> openai.OpenAI:
    """A client whose key has limits, and which repeats nothing."""
    key, _ = services.keys().add(owner="limited", name="sdk", scopes=scopes, limits=Limits(**limits))
    return openai.OpenAI(base_url=studio.base_url, api_key=key, max_retries=0)


def test_given_a_keys_rate_then_the_sdks_rate_limit_error_says_when_to_come_again(studio: Studio) -> None:
    client = limited(studio, Scope.READ, requests_per_minute=1)
    with pytest.raises(openai.RateLimitError) as refused:
        _ = [client.models.list() for _ in range(3)]  # the first may fall into another minute

    assert refused.value.code == "requests_per_minute_reached"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60


def test_given_a_key_that_may_not_or_cannot_pay_then_the_sdk_does_not_repeat_it(studio: Studio) -> None:
    client = limited(studio, Scope.SUBMIT, max_concurrent_jobs=1)
    client.videos.create(**GOOD)

    with pytest.raises(openai.PermissionDeniedError) as forbidden:
        limited(studio, Scope.READ).videos.create(**GOOD)
    with pytest.raises(openai.RateLimitError) as busy:
        client.videos.create(**GOOD)

    assert forbidden.value.code == "insufficient_scope"
    assert (busy.value.code, "may have 1 at once" in busy.value.message) == ("max_concurrent_jobs_reached", True)


def test_given_identical_calls_beyond_the_limit_then_as_many_videos_as_the_sdk_says_were_accepted(
    studio: Studio,
) -> None:
    """It repeats what it may: a refused call must not be answered with the video that another one made."""
    client = limited(studio, Scope.SUBMIT, max_concurrent_jobs=2).with_options(max_retries=2)
    accepted, refused = [], 0
    for _ in range(4):
        try:
            accepted.append(client.videos.create(**GOOD).id)
        except openai.RateLimitError:
            refused += 1

    assert (len(set(accepted)), len(accepted), refused) == (2, 2, 2)


def test_given_a_key_used_for_another_request_then_it_is_not_repeated(client: openai.OpenAI) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = client.videos.create(**GOOD, extra_headers=headers)

    again = client.videos.create(**GOOD, extra_headers=headers)
    with pytest.raises(openai.UnprocessableEntityError):
        client.videos.create(**{**GOOD, "prompt": "another"}, extra_headers=headers)

    assert again.id == first.id
