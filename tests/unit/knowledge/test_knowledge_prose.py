"""Numbers typed into prose are found; names, numbering, code and addresses are left alone."""

import pytest

from knowledge.prose import typed_numbers
from knowledge.render import DOCUMENTS, TEMPLATE_DIR


@pytest.mark.parametrize(
    "text",
    [
        "O vídeo custa US$ 0,42.",
        "São 6 vídeos por hora.",
        "Economia de 70% no Spot.",
        "Uma placa de 24 GB.",
        "| Wan | 40 passos |",
        "Lá custa 3,5 vezes mais que em 480p.",
        "O Wan 3.9 não existe.",
        "A g5.12xlarge custa 5.67 por hora",
    ],
)
def test_given_a_quantity_in_prose_when_read_then_it_is_found(text: str) -> None:
    assert list(typed_numbers(text))


@pytest.mark.parametrize(
    "text",
    [
        "O Wan 2.2 T2V-A14B em 480p numa g5.12xlarge com A10G, guardado no S3.",
        "## 4.5 A alegação antiga",
        "1. Primeiro passo",
        "Custa {{ caso('wan-480p').cost.usd|usd }} por vídeo.",
        "{% set x = 42 %}",
        "{# 42 #}",
        "```bash\nrevalida costs --volume 1000\n```",
        "a cota `L-3819A6DF` e `x = 3`",
        "[artigo](https://arxiv.org/abs/2510.20822)",
        "fonte[^veo-31]",
        "CC BY-NC-SA 4.0 na seção 8, versão 1.0.0",
    ],
)
def test_given_names_numbering_code_and_addresses_when_read_then_they_pass(text: str) -> None:
    assert list(typed_numbers(text)) == []


def test_given_a_number_after_a_code_block_when_found_then_its_line_is_the_template_s() -> None:
    found = list(typed_numbers("texto\n```\n1\n2\n```\ncusta 7 reais\n"))
    assert [(item.line, item.word) for item in found] == [(6, "7")]


@pytest.mark.parametrize("template", DOCUMENTS)
def test_given_a_template_of_ours_when_read_then_every_quantity_is_computed(template: str) -> None:
    text = (TEMPLATE_DIR / template).read_text(encoding="utf-8")
    assert [str(found) for found in typed_numbers(text)] == []
