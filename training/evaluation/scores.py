"""Shares of right answers, by language and attribute."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.captions.compose import Language
from training.judge.verdict import ATTRIBUTES, StoryVerdict, Verdict

COLUMNS = (*ATTRIBUTES, "all")


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A verdict and the language of its prompt."""

    language: Language
    verdict: Verdict


def shares(scored: Sequence[Scored]) -> dict[str, dict[str, float]]:
    """Percentages: row ("English", "Portuguese", "both") -> column (each attribute, "all" four at once)."""
    rows = {
        "English": [s.verdict for s in scored if s.language == "en"],
        "Portuguese": [s.verdict for s in scored if s.language == "pt"],
        "both": [s.verdict for s in scored],
    }
    return {
        name: {
            **{attribute: _percent([bool(getattr(v, attribute)) for v in verdicts]) for attribute in ATTRIBUTES},
            "all": _percent([v.all_right for v in verdicts]),
        }
        for name, verdicts in rows.items()
        if verdicts
    }


def story_shares(verdicts: Sequence[StoryVerdict]) -> dict[str, float]:
    """Percentages: each attribute over all shots, shots fully right, sequences with the same character."""
    shots = [shot for verdict in verdicts for shot in verdict.shots]
    return {
        **{attribute: _percent([bool(getattr(shot, attribute)) for shot in shots]) for attribute in ATTRIBUTES},
        "all": _percent([shot.all_right for shot in shots]),
        "same character": _percent([verdict.same_character for verdict in verdicts]),
    }


def _percent(answers: Sequence[bool]) -> float:
    return 100.0 * sum(answers) / len(answers)


def table(rows: dict[str, dict[str, float]]) -> str:
    """A Markdown table of percentages."""
    columns = list(next(iter(rows.values())))
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | " + " | ".join(f"{row[c]:.1f}" for c in columns) + " |" for name, row in rows.items()]
    return "\n".join(lines)
