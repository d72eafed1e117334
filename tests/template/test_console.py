"""CloudFront serves the console and the API as the local front door does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from pydantic import ValidationError

import app as entry_point
from cdk.settings import load_settings
from tests.template.conftest import REPOSITORY, Synthesis, cdk_context

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/6a1c0d4e-0000-4000-8000-000000000000"


def _with_domain(name: str, certificate_arn: str) -> dict[str, Any]:
    context = copy.deepcopy(cdk_context())
    context["settings"]["domain"] = {"name": name, "certificate_arn": certificate_arn}
    return context


def _distribution(production: Synthesis) -> dict[str, Any]:
    (distribution,) = production.of_type("AWS::CloudFront::Distribution").values()
    config: dict[str, Any] = distribution["DistributionConfig"]
    return config


def test_given_a_call_of_the_api_when_it_comes_then_it_is_passed_on_uncached_with_its_key(
    production: Synthesis,
) -> None:
    (api,) = _distribution(production)["CacheBehaviors"]

    assert (api["PathPattern"], api["ViewerProtocolPolicy"]) == ("/v1/*", "https-only")
    assert "DELETE" in api["AllowedMethods"]
    assert api["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's CachingDisabled
    assert api["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"  # AllViewerExceptHostHeader


def test_given_a_page_when_asked_for_then_index_html_answers_under_the_consoles_headers(
    production: Synthesis,
) -> None:
    default = _distribution(production)["DefaultCacheBehavior"]
    (policy,) = production.of_type("AWS::CloudFront::ResponseHeadersPolicy").values()
    (pages,) = production.of_type("AWS::CloudFront::Function").values()

    (association,) = default["FunctionAssociations"]
    assert association["EventType"] == "viewer-request"
    assert "/index.html" in pages["FunctionCode"]
    security = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    written = json.loads((REPOSITORY / "console" / "headers.json").read_text(encoding="utf-8"))
    sent = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Join"][1]
    hosts = [part["Fn::GetAtt"] for part in sent if not isinstance(part, str)]
    text = "".join(part if isinstance(part, str) else "MEDIA" for part in sent)
    assert text.replace("https://MEDIA", "MEDIA") == written.pop("content-security-policy")
    assert {name.startswith("StorageMedia") and attribute for name, attribute in hosts} == {"RegionalDomainName"}
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] == 365 * 86_400
    others = {
        "referrer-policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "x-content-type-options": "nosniff" if security["ContentTypeOptions"]["Override"] else None,
        "x-frame-options": security["FrameOptions"]["FrameOption"],
    }
    assert others == written


def test_given_a_domain_of_ones_own_then_cloudfront_answers_under_it_and_its_pages_may_upload(tmp_path: Path) -> None:
    application = App(context=_with_domain("videos.example.com", CERTIFICATE), outdir=str(tmp_path))
    entry_point.build(application)
    template = application.synth().stacks[0].template

    (distribution,) = (
        one["Properties"]["DistributionConfig"]
        for one in template["Resources"].values()
        if one["Type"] == "AWS::CloudFront::Distribution"
    )
    assert distribution["Aliases"] == ["videos.example.com"]
    viewer = distribution["ViewerCertificate"]
    assert (viewer["AcmCertificateArn"], viewer["MinimumProtocolVersion"]) == (CERTIFICATE, "TLSv1.2_2021")
    assert template["Outputs"]["ConsoleUrl"]["Value"] == "https://videos.example.com"
    rules = [
        rule
        for one in template["Resources"].values()
        if one["Type"] == "AWS::S3::Bucket"
        for rule in one["Properties"].get("CorsConfiguration", {}).get("CorsRules", [])
    ]
    assert any("https://videos.example.com" in rule["AllowedOrigins"] for rule in rules)


@pytest.mark.parametrize(
    ("name", "certificate_arn"),
    [
        ("videos.example.com", ""),
        ("", CERTIFICATE),
        ("videos.example.com", CERTIFICATE.replace("us-east-1", "us-east-2")),
        ("https://videos.example.com", CERTIFICATE),
    ],
)
def test_given_a_domain_that_cloudfront_would_not_take_then_it_is_refused_before_the_deploy(
    name: str, certificate_arn: str
) -> None:
    with pytest.raises(ValidationError, match="domain"):
        load_settings(_with_domain(name, certificate_arn))


def test_given_a_page_when_it_fetches_or_uploads_a_file_then_the_bucket_lets_cloudfronts_pages(
    production: Synthesis,
) -> None:
    (rule,) = (
        one
        for bucket in production.of_type("AWS::S3::Bucket").values()
        for one in bucket.get("CorsConfiguration", {}).get("CorsRules", ())
    )

    assert rule["AllowedOrigins"] == ["https://*.cloudfront.net"]
    assert set(rule["AllowedMethods"]) == {"GET", "HEAD", "PUT"}


def test_given_a_file_when_it_is_cached_then_for_as_long_as_its_upload_said(
    production: Synthesis,
) -> None:
    """scripts/deploy-console.sh says it of each file: built ones for a year, pages not at all."""
    default = _distribution(production)["DefaultCacheBehavior"]

    assert default["CachePolicyId"] == "658327ea-f89d-4fab-a63d-7e88639e58f6"  # CachingOptimized
    script = (REPOSITORY / "scripts" / "deploy-console.sh").read_text(encoding="utf-8")
    assert 'assets" --cache-control "public, max-age=31536000, immutable"' in script
    assert '--cache-control "no-cache"' in script
