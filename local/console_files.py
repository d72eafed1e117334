"""The console's files, as CloudFront serves them in AWS: every page is index.html, under the same headers."""

import json
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from local.settings import ROOT

HEADERS = ROOT / "console" / "headers.json"
_INDEX = "index.html"
# Built files carry their content's hash in the name; a page names the newest of them.
_FOREVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"


class ConsoleFiles(StaticFiles):
    """Serves `directory`. A path that is no file is a page, which the console routes by itself.

    `media_origin` is where signed links to videos and uploads lead: all that the pages may reach beside themselves."""

    def __init__(self, directory: Path, *, media_origin: str) -> None:
        super().__init__(directory=directory)
        texts: dict[str, str] = json.loads(HEADERS.read_text(encoding="utf-8"))
        self._headers = {name: text.replace("MEDIA", media_origin) for name, text in texts.items()}

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await self._file_or_page(path, scope)
        headers = MutableHeaders(raw=response.raw_headers)
        headers.update(self._headers)
        headers["cache-control"] = _FOREVER if path.startswith("assets/") else _ASK_EACH_TIME
        return response

    async def _file_or_page(self, path: str, scope: Scope) -> Response:
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or "." in Path(path).name:
                raise
            return await super().get_response(_INDEX, scope)
