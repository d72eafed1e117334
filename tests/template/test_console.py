"""CloudFront serves the console and the API as the local front door does."""

from __future__ import annotations

import json
from typing import Any

from tests.template.conftest import REPOSITORY, Synthesis


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
    assert next(part for part in sent if isinstance(part, str)).startswith(
        written["content-security-policy"].split("MEDIA")[0]
    )
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] == 365 * 86_400
