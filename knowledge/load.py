"""Reads ``docs/dados/*.yaml`` into :class:`knowledge.data.Knowledge`."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from knowledge.data import Knowledge

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = ROOT / "docs" / "dados"


@lru_cache
def load(data_dir: Path = DATA_DIR) -> Knowledge:
    """Read and check all data files of a folder.

    Raises pydantic.ValidationError for a figure without provenance, an unknown key or an unknown id, and
    FileNotFoundError for a missing file.
    """
    files = {path: _read(data_dir / f"{path}.yaml") for path in _FILES}
    return Knowledge(
        sources=files["fontes"]["fontes"],
        cited=files["fontes"]["citadas_no_texto"],
        models=files["modelos"]["modelos"],
        recommended=files["modelos"]["recomendados"],
        fysics_reference=files["modelos"]["referencia_fysics"],
        region=files["instancias"]["regiao"],
        instances=files["instancias"]["instancias"],
        services=files["servicos"]["servicos"],
        closures=files["servicos"]["encerramentos"],
        scenarios=files["cenarios"]["cenarios"],
        main_scenario=files["cenarios"]["principal"],
        assumptions=files["premissas"]["premissas"],
        old_claim=files["premissas"]["alegacao_antiga"],
        review_days=files["premissas"]["revisao_dias"],
        default_instance=files["premissas"]["instancia_padrao"],
        sale_prices_usd=files["premissas"]["precos_de_venda_usd"],
        monthly_volumes=files["premissas"]["volumes_mes"],
    )


_FILES = ("fontes", "modelos", "instancias", "servicos", "cenarios", "premissas")


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
