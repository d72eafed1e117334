"""The console in AWS: its files in a private bucket, CloudFront before them and the API as one origin.

Synthesis needs no built console: `make deploy-console` puts the files into the bucket.
"""

import json
from pathlib import Path

from aws_cdk import Duration, Fn, RemovalPolicy
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.nag import acknowledge
from cdk.settings import DomainSettings

HEADERS = Path(__file__).parents[1] / "console" / "headers.json"

# A path without a dot is a page of the console, which routes it itself. The API has a behaviour of its own.
_TO_PAGE = """function handler(event) {
  var request = event.request;
  if (request.uri.indexOf('.') === -1) request.uri = '/index.html';
  return request;
}
"""


class Console(Construct):
    """`media` is where signed links lead: the pages may reach it, and a CORS rule lets browsers read and upload there.

    The rule names CloudFront, not this distribution, whose policy names the bucket: each would wait for the other. What
    opens an object is the signature."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        domain: DomainSettings,
        api_endpoint: str,
        media: s3.Bucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self._domain = domain
        self.bucket = s3.Bucket(
            self,
            "Files",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.RETAIN,  # CloudFormation deletes no bucket that holds files
        )
        acknowledge(self.bucket, "AwsSolutions-S1", "Public files of a web page; the API logs every call that matters.")
        self.distribution = self._distribution(prefix, api_endpoint, self._headers(prefix, media))
        self._acknowledge_distribution()
        media.add_cors_rule(
            allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.PUT],
            allowed_origins=["https://*.cloudfront.net", *([f"https://{domain.name}"] if domain.name else [])],
            allowed_headers=["*"],
            max_age=3600,
        )

    @property
    def url(self) -> str:
        return f"https://{self._domain.name or self.distribution.distribution_domain_name}"

    def _certificate(self) -> acm.ICertificate | None:
        arn = self._domain.certificate_arn
        return acm.Certificate.from_certificate_arn(self, "Certificate", arn) if arn else None

    def _distribution(
        self, prefix: str, api_endpoint: str, headers: cloudfront.ResponseHeadersPolicy
    ) -> cloudfront.Distribution:
        api = origins.HttpOrigin(Fn.select(2, Fn.split("/", api_endpoint)), read_timeout=Duration.seconds(30))
        pages = cloudfront.Function(
            self,
            "Pages",
            function_name=f"{prefix}-console-pages",
            code=cloudfront.FunctionCode.from_inline(_TO_PAGE),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        return cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"{prefix}: console and API",
            default_root_object="index.html",
            domain_names=[self._domain.name] if self._domain.name else None,
            certificate=self._certificate(),
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            price_class=cloudfront.PriceClass.PRICE_CLASS_ALL,  # South America is not in the cheaper classes
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(self.bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                response_headers_policy=headers,
                compress=True,
                function_associations=[
                    cloudfront.FunctionAssociation(
                        function=pages, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
                    )
                ],
            ),
            additional_behaviors={
                "/v1/*": cloudfront.BehaviorOptions(
                    origin=api,
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                    cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                    origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                )
            },
        )

    def _headers(self, prefix: str, media: s3.Bucket) -> cloudfront.ResponseHeadersPolicy:
        """As the local front door sends them, and HSTS."""
        texts: dict[str, str] = json.loads(HEADERS.read_text(encoding="utf-8"))
        policy = texts["content-security-policy"].replace("MEDIA", f"https://{media.bucket_regional_domain_name}")
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            response_headers_policy_name=f"{prefix}-console",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=policy, override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(365), include_subdomains=False, override=True
                ),
            ),
        )

    def _acknowledge_distribution(self) -> None:
        for rule, reason in {
            "AwsSolutions-CFR1": "The operator's users may be anywhere.",
            "AwsSolutions-CFR2": "Every call needs a key and is throttled; a WAF is the operator's choice.",
            "AwsSolutions-CFR3": "The API's own access log has every call; what is left are public files.",
        }.items():
            acknowledge(self.distribution, rule, reason)
        if not self._domain.name:
            acknowledge(
                self.distribution,
                "AwsSolutions-CFR4",
                "CloudFront's own certificate; a domain of one's own has TLS 1.2.",
            )
