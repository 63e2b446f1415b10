"""Counts of a language model's responses that are no translation, or have other text around it, by kind."""

from __future__ import annotations

import logging
import threading
from collections import Counter

from distilmt.teachers.completions import Completion

logger = logging.getLogger(__name__)

ISSUES = {
    "refused": "the server rejects some sentences: they get no label",
    "declined": "declines to translate some sentences: they get no label",
    "cut_off": "some responses end at max_tokens and are not used: raise teacher.endpoint.max_tokens if there are many",
    "unfinished_thoughts": "some responses contain only reasoning and are not used: raise "
    "teacher.endpoint.max_tokens, or switch reasoning off with teacher.endpoint.extra",
    "empty": "some responses are empty: their sentences get no label",
    "mismatched": "some responses have not the numbers of the requested lines: these are requested one by one",
    "copied": "some responses are copies of the source and are not used",
    "obeyed": "some sentences have instructions, and the responses are not recognizably their translation: they get no "
    "label",
    "other_script": "some responses are in another script than the target's and are not used",
    "other_language": "some responses are in another language than the target and are not used",
    "explained": "some responses are about the translation and are not used",
    "other_length": "some responses are many times longer or shorter than their source and are not used",
    "cleaned": "some responses contain more than a translation: reasoning, fences, labels and quotes are removed",
}
"""What a kind means, and what follows."""
USABLE = frozenset({"cleaned", "mismatched"})
"""Kinds whose sentences get a label all the same."""


class ResponseCounts:
    """Counts by kind; the first of each kind is logged."""

    def __init__(self, model: str) -> None:
        self._model, self._lock = model, threading.Lock()
        self.issues: Counter[str] = Counter()
        self.removed: Counter[str] = Counter()
        """Responses of the kind `cleaned`, by what was removed; one may have several."""
        self.responses = 0

    def add_response(self, completion: Completion, fault: str, source: str) -> None:
        """Count a response: `fault` is the kind of a text that is no translation."""
        with self._lock:
            self.responses += 1
            if not fault:
                self.removed.update(completion.removed)
        if fault or completion.issue:
            self.add(fault or completion.issue, source)

    def add(self, issue: str, source: str, reason: str = "") -> None:
        """Count something that happened to the request of a source."""
        with self._lock:
            self.issues[issue] += 1
            first = self.issues[issue] == 1
        if first:
            logger.info(f"{self._model}: {ISSUES[issue]} (first at {source[:60]!r}{reason and ', ' + reason})")

    def by_kind(self) -> dict[str, float]:
        """All counts."""
        removed = {f"removed_{kind}": count for kind, count in self.removed.items()}
        return {"responses": self.responses, "refused": 0, **self.issues, **removed}
