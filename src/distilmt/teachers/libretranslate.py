"""Any server with LibreTranslate's API as teacher."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from distilmt.errors import UserError
from distilmt.teachers.endpoint import Endpoint, Refused


class LibreTranslate:
    """Some sentences a request; `count` above 1 asks for alternatives."""

    batch = 16

    def __init__(self, facts: dict[str, Any]) -> None:
        """Take the server from `url` and `endpoint`, and languages from `source` and `target`."""
        self.url = facts["url"].rstrip("/").removesuffix("/translate") + "/translate"
        self.server = Endpoint(facts["endpoint"])
        self.pair = {"source": facts["source"], "target": facts["target"]}

    def ask(
        self, batches: Iterable[list[str]], count: int, sampling: float
    ) -> Iterator[tuple[list[str], list[list[str]]]]:
        """Translations of texts, batches as they come.

        Raises:
            UserError: the server cannot be used.
        """
        yield from self.server.side_by_side(lambda texts: self._batch(texts, count), batches)

    def spent(self) -> dict[str, float]:
        """Requests of this process so far."""
        return {"requests": self.server.requests}

    def _batch(self, texts: list[str], count: int) -> list[list[str]]:
        body: dict[str, Any] = {"q": texts, "format": "text", **self.pair}
        body |= {"alternatives": count - 1} if count > 1 else {}
        body |= {"api_key": self.server.key} if self.server.key else {}
        try:
            answer = self.server.post(self.url, body)
            best, others = answer["translatedText"], answer.get("alternatives") or [[]] * len(texts)
            return [[" ".join(each.split()) for each in found] for found in _each(best, others, texts)]
        except Refused as reason:
            raise UserError(f"{self.url} refuses ({reason}): check teacher.url and the languages") from None
        except (KeyError, TypeError, AttributeError, ValueError):
            raise UserError(f"{self.url} answers otherwise than LibreTranslate: check teacher.url") from None


def _each(best: list[str], others: list[list[str]], texts: list[str]) -> Iterator[list[str]]:
    if isinstance(best, str):
        raise TypeError
    for _, first, more in zip(texts, best, others, strict=True):
        yield [first, *more]
