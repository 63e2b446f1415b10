"""A language model as teacher, behind OpenAI's chat completions, which vLLM, llama.cpp and Ollama speak as well."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from distilmt.errors import UserError
from distilmt.languages import language_name
from distilmt.teachers.endpoint import Endpoint, Refused

_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)


class OpenAI:
    """One request a sentence; `count` above 1 asks for as many samples."""

    batch = 1

    def __init__(self, facts: dict[str, Any]) -> None:
        """Take the endpoint from `url` and `endpoint`, and languages from `source` and `target`."""
        self.settings = facts["endpoint"]
        self.url = facts["url"].rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self.server = Endpoint(self.settings)
        self.names = {key: facts[key] for key in ("source", "target")}
        self.names |= {f"{key}_name": language_name(facts[key]) for key in ("source", "target")}
        self.before = 0.0
        """Money that was spent by earlier processes."""
        self._tokens, self._refused, self._lock = [0, 0], 0, threading.Lock()

    def ask(
        self, batches: Iterable[list[str]], count: int, sampling: float
    ) -> Iterator[tuple[list[str], list[list[str]]]]:
        """Translations of texts as they come; none of one that the model refused or did not end.

        Raises:
            UserError: the endpoint cannot be used, or what may be spent is spent.
        """
        yield from self.server.side_by_side(lambda texts: [self._one(text, count, sampling) for text in texts], batches)

    def spent(self) -> dict[str, float]:
        """Requests, tokens and money of this process so far."""
        prompts, answers = self._tokens
        found = {"requests": self.server.requests, "prompt_tokens": prompts, "answer_tokens": answers}
        return found | {"refused": self._refused, "money": self._money()}

    def _money(self) -> float:
        prompts, answers = self._tokens
        return (prompts * self.settings["price_in"] + answers * self.settings["price_out"]) / 1e6

    def _one(self, text: str, count: int, sampling: float) -> list[str]:
        """Some servers give fewer choices than they are asked for: then they are asked again."""
        found: list[str] = []
        for _ in range(count):
            if len(found) >= count:
                break
            try:
                found += self._choices(text, count - len(found), sampling)
            except Refused as reason:
                if not self._tokens[1]:  # nothing ever went well: the request itself is wrong
                    raise UserError(f"{self.url} refuses ({reason}): check teacher.endpoint") from None
                self._refused += 1
                break
        return found

    def _choices(self, text: str, count: int, sampling: float) -> list[str]:
        self._check_purse()
        prompt = self.settings["prompt"]
        for name, value in {**self.names, "text": text}.items():  # a text may have braces: no str.format
            prompt = prompt.replace("{" + name + "}", value)
        body = {"model": self.settings["model"], "messages": [{"role": "user", "content": prompt}]}
        body |= {"max_tokens": self.settings["max_tokens"], "temperature": sampling or (1.0 if count > 1 else 0.0)}
        answer = self.server.post(self.url, body | ({"n": count} if count > 1 else {}))
        try:
            choices = [c["message"]["content"] or "" for c in answer["choices"] if c.get("finish_reason") != "length"]
            usage = answer.get("usage") or {}
        except (KeyError, TypeError, AttributeError):
            raise UserError(f"{self.url} answers otherwise than OpenAI's API: check teacher.url") from None
        with self._lock:
            self._tokens[0] += usage.get("prompt_tokens") or 0
            self._tokens[1] += usage.get("completion_tokens") or 1
        return [_plain(choice) for choice in choices]

    def _check_purse(self) -> None:
        limit = self.settings["spend"]
        if limit and self.before + self._money() >= limit:
            raise UserError(f"teacher.endpoint.spend, {limit:g}, is spent: raise it, and the same command goes on")


def _plain(answer: str) -> str:
    """An answer on one line, without what a model thought aloud."""
    return " ".join(_THOUGHTS.sub("", answer).split())
