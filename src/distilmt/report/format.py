"""Format numbers and text of reports."""

from __future__ import annotations

import html
import math
import re

MISSING = "–"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text with U+FFFD for characters that HTML forbids."""
    return _UNPRINTABLE.sub("\ufffd", text)


def escape(value: object) -> str:
    """Escape text for SVG; characters that HTML forbids become U+FFFD."""
    return html.escape(printable(str(value)), quote=True)


def number_or_none(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def number(value: float | None, digits: int = 1) -> str:
    """A number with thousands separated: `1,234.5`."""
    amount = number_or_none(value)
    return MISSING if amount is None else f"{amount:,.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    """A number with its sign: `+0.4`; a small one with one more digit, so that none becomes `−0.0`."""
    amount = number_or_none(value)
    if amount is not None and round(abs(amount), digits) == 0:
        digits += 1
    return MISSING if amount is None else f"{amount:+,.{digits}f}".replace("-", "−")


def rate(value: float | None) -> str:
    """A rate, with a decimal if it is small."""
    amount = number_or_none(value)
    return number(amount, 0 if amount is not None and amount >= 100 else 1)


def size(value: float | None) -> str:
    """Bytes in kB, MB or GB (powers of ten), three digits."""
    byte_count = number_or_none(value)
    if byte_count is None:
        return MISSING
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if byte_count >= factor:
            digits = 2 if byte_count < 10 * factor else 1 if byte_count < 100 * factor else 0
            return f"{byte_count / factor:,.{digits}f} {unit}"
    return f"{byte_count:.0f} B"


def count(value: float | None) -> str:
    """A big count, abbreviated: `7.7 M`."""
    amount = number_or_none(value)
    if amount is None:
        return MISSING
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if amount >= factor:
            return f"{amount / factor:,.1f} {unit}"
    return f"{amount:.0f}"


def operations(value: float | None) -> str:
    """A count of operations, with bigger units: `3.2 P`."""
    amount = number_or_none(value)
    for unit, factor in (("E", 1e18), ("P", 1e15), ("T", 1e12)):
        if amount is not None and amount >= factor:
            return f"{amount / factor:,.1f} {unit}"
    return count(value)


def duration(seconds: float | None) -> str:
    """Seconds as `4.2 s`, `3 min 05 s` or `2 h 05 min`."""
    total = number_or_none(seconds)
    if total is None:
        return MISSING
    if total < 60:
        return f"{total:.1f} s"
    minutes, remainder = divmod(round(total), 60)
    if minutes < 60:
        return f"{minutes} min {remainder:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def p_value(value: float | None) -> str:
    """`p = 0.031`, or `p < 0.001`."""
    probability = number_or_none(value)
    if probability is None:
        return f"p {MISSING}"
    return (
        "p < 0.001"
        if probability < 0.001
        else f"p = {probability:.3f}"
        if probability < 0.1
        else f"p = {probability:.2f}"
    )


def language_tag(code: str) -> str:
    """A language code in HTML's format: `pt-BR` for `pt_BR`."""
    return code.replace("_", "-")
