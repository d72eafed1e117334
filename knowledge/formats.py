"""Numbers as a Brazilian reader writes them: decimal comma, thousands point, ``US$`` before the amount."""

from datetime import date


def number(value: float, digits: int = 0) -> str:
    """``1234.5`` -> ``1.234,5`` with ``digits=1``."""
    english = f"{value:,.{digits}f}"
    return english.translate(str.maketrans(",.", ".,"))


def short(value: float) -> str:
    """A number with no more decimals than it has, at most four: ``48`` or ``22,4`` or ``0,9837``."""
    plain = f"{value:,.4f}".rstrip("0").rstrip(".")
    return plain.translate(str.maketrans(",.", ".,"))


def usd(value: float) -> str:
    """US dollars: cents below 100, three decimals below 10 cents, whole dollars from 100 on."""
    digits = 3 if abs(value) < 0.0995 else 2 if abs(value) < 99.995 else 0
    return f"US$ {number(value, digits)}"


def percent(share: float, digits: int = 0) -> str:
    """A share of one as a percentage: ``0.65`` -> ``65%``."""
    return f"{number(100 * share, digits)}%"


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``58 s``, ``32 min``, ``3 h 52 min``."""
    if seconds < 90:
        return f"{number(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def day(value: date) -> str:
    """``2026-11-22`` -> ``22/11/2026``."""
    return value.strftime("%d/%m/%Y")
