"""Any server with LibreTranslate's API as teacher."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator

from distilmt.inference.base import DecodingOptions
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.teachers.endpoint import Endpoint, RequestRejected
from distilmt.teachers.scored_text import ScoredText
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject

logger = logging.getLogger(__name__)


class LibreTranslate:
    """Client with several sentences per request; `count` above 1 requests alternatives."""

    batch = 16

    def __init__(self, facts: TeacherReference) -> None:
        """Read the server from `url` and `endpoint`, and the languages from `source` and `target`."""
        self.url = facts["url"].rstrip("/").removesuffix("/translate") + "/translate"
        self.server = Endpoint(facts["endpoint"])
        self.pair = {"source": facts["source"], "target": facts["target"]}
        self.issues: Counter[str] = Counter()
        self._has_succeeded, self._one_by_one = False, False

    def translate_batches(
        self, batches: Iterable[list[str]], options: DecodingOptions
    ) -> Iterator[tuple[list[str], list[list[ScoredText]]]]:
        """Translations of texts, batches in order of completion.

        Raises:
            UserError: the server cannot be used.
        """
        for texts, translations in self.server.map_concurrently(
            lambda texts: self._batch(texts, options.num_hypotheses), batches
        ):
            yield texts, [[(text, 0.0) for text in each] for each in translations]

    def usage(self) -> dict[str, float]:
        """Requests of this process so far, and sentences that the server rejected."""
        return {"requests": self.server.requests, "refused": 0, **self.issues}

    def _batch(self, texts: list[str], count: int) -> list[list[str]]:
        """Translate a batch; if it is rejected (for example as too long), split it to find the text that causes it."""
        if self._one_by_one and len(texts) > 1:
            return [self._batch([text], count)[0] for text in texts]
        try:
            translations = self._request(texts, count)
        except RequestRejected as reason:
            if len(texts) > 1:
                middle = len(texts) // 2
                return self._batch(texts[:middle], count) + self._batch(texts[middle:], count)
            return [self._refused(texts[0], reason)]
        if translations is None:
            self._one_by_one = True
            return [self._batch([text], count)[0] for text in texts]
        self._has_succeeded = True
        return translations

    def _request(self, texts: list[str], count: int) -> list[list[str]] | None:
        """Translations of each text; None if the server accepts only one text per request."""
        body: JsonObject = {"q": texts[0] if self._one_by_one else texts, "format": "text", **self.pair}
        body |= {"alternatives": count - 1} if count > 1 else {}
        body |= {"api_key": self.server.key} if self.server.key else {}
        response = self.server.post(self.url, body)
        try:
            best, others = response["translatedText"], response.get("alternatives") or []
            if isinstance(best, str):
                if len(texts) > 1:
                    return None
                best, others = [best], [others] if not others or isinstance(others[0], str) else others
            others = others or [[]] * len(texts)
            return [
                [" ".join(each.split()) for each in (first, *more)] for _, first, more in _rows(texts, best, others)
            ]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise UserError(f"{self.url} did not return a LibreTranslate-style response: check teacher.url") from None

    def _refused(self, text: str, reason: RequestRejected) -> list[str]:
        """Count a rejected text, if the server accepts others.

        Raises:
            UserError: the server rejects even a simple text: the request itself is wrong.
        """
        try:
            self._has_succeeded = self._has_succeeded or self._request(["Hello."], 1) is not None
        except RequestRejected:
            raise UserError(f"{self.url} rejects requests ({reason}): check teacher.url and the languages") from None
        self.issues["refused"] += 1
        if self.issues["refused"] == 1:
            logger.info(f"{self.url} rejects some sentences: they get no label (first {text[:60]!r}, {reason})")
        return []


def _rows(texts: list[str], best: list[str], others: list[list[str]]) -> Iterator[tuple[str, str, list[str]]]:
    return zip(texts, best, others, strict=True)
