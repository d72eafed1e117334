"""The production template, whole: a change of it is seen in review.

`UPDATE_SNAPSHOTS=1 pytest tests/template` writes the file anew; read its diff before committing it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tests.template.conftest import Synthesis

SNAPSHOT = Path(__file__).parent / "snapshots" / "production.json"


def _without_asset_hashes(synthesis: Synthesis) -> str:
    text = json.dumps(synthesis.template, indent=1, sort_keys=True) + "\n"
    return re.sub(r"[0-9a-f]{64}", "ASSET", text)


def test_given_the_production_settings_when_synthesised_then_the_template_is_the_reviewed_one(
    production: Synthesis,
) -> None:
    template = _without_asset_hashes(production)
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(template, encoding="utf-8")

    assert json.loads(template) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))
