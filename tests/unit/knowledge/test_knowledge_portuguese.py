"""The Portuguese documents are written with their accents."""

import re
from pathlib import Path

import pytest

from knowledge.load import DATA_DIR, ROOT

PORTUGUESE = [
    ROOT / "docs" / "analise-modelos-text-to-video.md",
    ROOT / "docs" / "comece-aqui.md",
    ROOT / "docs" / "drop-folder.md",
    ROOT / "docs" / "nova-entrada.md",
    *sorted(DATA_DIR.glob("*.yaml")),
]

# Words that do not exist without their accent; those that do (`esta`, `e`, `ate`) cannot be told by spelling.
UNACCENTED = """
nao voce voces video videos tambem alem porem pagina paginas numero numeros codigo codigos possivel impossivel maquina
maquinas preco precos servico servicos licenca licencas memoria referencia frequencia descricao geracao geracoes
duracao resolucao versao versoes estimacao aplicacao implantacao configuracao configuracoes atencao conclusao condicao
condicoes inicio unico unica proximo proxima ultimo ultima rapido rapida facil dificil util nivel niveis horario ingles
portugues entao fracao posicao padroes
"""
# Lower case alone: titles of pages are quoted as they are, in English.
_WORD = re.compile(r"(?<![\w/.`-])(?:" + "|".join(UNACCENTED.split()) + r")(?![\w/.`-])")
_NOT_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`|\]\([^)]*\)|https?://\S+|^\s*tipo: \w+|revisao_dias: .*|^\s*[\w-]+:(?=\s|$)|[{,]\s*\w+:",
    re.S | re.M,
)


@pytest.mark.parametrize("path", PORTUGUESE, ids=lambda path: path.name)
def test_given_a_portuguese_text_when_read_then_no_word_has_lost_its_accent(path: Path) -> None:
    prose = _NOT_PROSE.sub(" ", path.read_text(encoding="utf-8"))
    assert sorted({match.group() for match in _WORD.finditer(prose)}) == []
