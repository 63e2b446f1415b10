"""Which language a text is in, by py3langid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from distilmt.serving.codes import base, shown
from distilmt.serving.errors import Refused

_ENOUGH = 2000  # characters of a text that tell its language
_TOLD = 3


def detect(texts: Sequence[str], among: Collection[str] = ()) -> list[dict[str, Any]]:
    """The likeliest languages, best first: `{"confidence": 0 to 100, "language": code}`.

    Args:
        texts: read as one.
        among: codes as LibreTranslate writes them that come into question; none: all that are known.

    Raises:
        Refused: py3langid is not installed (501).
    """
    text = " ".join(texts)[:_ENOUGH]
    identifier = _identifier()
    ranked = identifier.rank(text) if any(c.isalpha() for c in text) else []
    bases = {base(code): code for code in reversed(list(among))}
    found = [(bases.get(language, shown(language)), float(share)) for language, share in ranked]
    if among:
        found = [(code, share) for code, share in found if code in among]
        total = sum(share for _, share in found)
        found = [(code, share / total) for code, share in found] if total > 0 else []
    if not found:
        return [{"confidence": 0.0, "language": "en"}]
    return [{"confidence": round(100 * share, 1), "language": code} for code, share in found[:_TOLD]]


@lru_cache(maxsize=1)
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise Refused(501, 'Languages are not detected here: pip install "distilmt[serve]"') from None
    # The loader was renamed in 0.3.
    load = getattr(LanguageIdentifier, "from_model_file", None) or LanguageIdentifier.from_pickled_model
    return load(MODEL_FILE, norm_probs=True)


def warm_up() -> None:
    """Load the model now rather than with the first request; nothing where it is not installed."""
    try:
        _identifier()
    except Refused:
        return
