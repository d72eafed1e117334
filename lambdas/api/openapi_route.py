"""`/v1/openapi.json`, and `/v1/docs`, where a person reads it and tries it out."""

from functools import cache

from aws_lambda_powertools.event_handler import Response

from lambdas.api.http import HttpEvent, answer

# The page is one file: scripts and styles stand in it, and it speaks to this API alone.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def openapi(_event: HttpEvent) -> Response[str]:
    """The API's description; needs no key."""
    from lambdas.api.openapi import document  # building it costs more than all other routes

    return answer(document())


def docs(_event: HttpEvent) -> Response[str]:
    """The same for people; needs no key. What is tried out there is sent with the key that is typed in."""
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(status_code=200, content_type="text/html; charset=utf-8", body=_page(), headers=dict(headers))


@cache
def _page() -> str:
    """Swagger UI as Powertools brings it along, so that nothing comes from elsewhere."""
    import json
    from importlib.resources import files

    from aws_lambda_powertools.event_handler.openapi import swagger_ui

    from lambdas.api.openapi import document

    folder = files(swagger_ui)
    # A description is text of ours, but `</script>` in any of it would end the page's script.
    spec = json.dumps(document(), ensure_ascii=False).replace("</", "<\\/")
    return swagger_ui.generate_swagger_html(
        spec=spec,
        swagger_js=(folder / "swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
        swagger_css=(folder / "swagger-ui.min.css").read_text(encoding="utf-8"),
        swagger_base_url="",
        oauth2_config=None,
    ).replace("<title>Swagger UI</title>", "<title>Revalida Video: API</title>", 1)
