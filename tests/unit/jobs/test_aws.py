"""Where signed links lead."""

from urllib.parse import urlsplit

import pytest

from jobs import aws


def signed(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in (keys | environment).items():
        monkeypatch.setenv(name, value)
    client = aws._client.__wrapped__("s3")  # not the one that is kept, of another environment
    return str(client.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": "video.mp4"}))


@pytest.mark.parametrize("region", ["us-east-1", "us-east-2", "sa-east-1"])
def test_given_a_region_when_a_link_is_signed_then_its_host_is_the_one_that_the_console_lets_in(
    monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    link = urlsplit(signed(monkeypatch, AWS_DEFAULT_REGION=region))

    # CloudFormation's RegionalDomainName, which cdk/console.py writes into the policy.
    assert (link.scheme, link.netloc, link.path) == ("https", f"media.s3.{region}.amazonaws.com", "/video.mp4")


def test_given_a_local_endpoint_when_a_link_is_signed_then_it_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    link = signed(monkeypatch, AWS_DEFAULT_REGION="us-east-2", AWS_ENDPOINT_URL="http://127.0.0.1:4566")

    assert link.startswith("http://127.0.0.1:4566/media/video.mp4?")
