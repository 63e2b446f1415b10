"""A language model as teacher, with OpenAI's chat completions API (also vLLM, llama.cpp and Ollama)."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

from distilmt.inference.base import DecodingOptions
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.teachers.completions import completion_of
from distilmt.teachers.endpoint import Endpoint, RequestRejected
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.languages import language_name

logger = logging.getLogger(__name__)

_REQUIRED = {"model", "messages"}
_ISSUES = {
    "refused": "the server rejects some sentences: they get no label",
    "declined": "declines to translate some sentences: they get no label",
    "cut_off": "some responses end at max_tokens and are not used: raise teacher.endpoint.max_tokens if there are many",
    "unfinished_thoughts": "some responses contain only reasoning and are not used: raise "
    "teacher.endpoint.max_tokens, or switch reasoning off with teacher.endpoint.extra",
    "empty": "some responses are empty: their sentences get no label",
    "cleaned": "some responses contain more than a translation: reasoning, fences, labels and quotes are removed",
}


class OpenAI:
    """One request per sentence; `count` above 1 requests that many samples."""

    batch = 1

    def __init__(self, facts: TeacherReference) -> None:
        """Read the endpoint from `url` and `endpoint`, and the languages from `source` and `target`."""
        self.settings = facts["endpoint"]
        self.url = facts["url"].rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self.server = Endpoint(self.settings)
        source, target = facts["source"], facts["target"]
        self.names = {"source": source, "target": target}
        self.names |= {"source_name": language_name(source), "target_name": language_name(target)}
        self.previous_cost = 0.0
        """Cost of earlier processes."""
        self._tokens, self._lock = [0, 0], threading.Lock()
        self.issues: Counter[str] = Counter()
        """Counts of responses without a translation or with additional text, by kind."""
        self._renamed: dict[str, str] = {}
        """Request fields that the server expects under another name, or (an empty name) does not accept."""

    def translate_batches(
        self, batches: Iterable[list[str]], options: DecodingOptions
    ) -> Iterator[tuple[list[str], list[list[str]]]]:
        """Translations of texts in order of completion; none if the model refused a text or hit the token limit.

        Raises:
            UserError: the endpoint cannot be used, or the budget is used up.
        """
        count, temperature = options.num_hypotheses, options.sampling_temperature
        yield from self.server.map_concurrently(
            lambda texts: [self._one(text, count, temperature) for text in texts], batches
        )

    def usage(self) -> dict[str, float]:
        """Requests, tokens and cost of this process so far, and counts of responses without a translation, by kind."""
        prompt_tokens, completion_tokens = self._tokens
        return {
            "requests": self.server.requests,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "refused": 0,
            **self.issues,
            "cost": self._cost(),
        }

    def _cost(self) -> float:
        prompt_tokens, completion_tokens = self._tokens
        prices = float(self.settings["input_price"]), float(self.settings["output_price"])
        return (prompt_tokens * prices[0] + completion_tokens * prices[1]) / 1e6

    def _one(self, text: str, count: int, temperature: float) -> list[str]:
        """Request until there are enough choices: some servers return fewer than requested."""
        translations: list[str] = []
        for _ in range(count):
            if len(translations) >= count:
                break
            try:
                translations += self._choices(text, count - len(translations), temperature)
            except RequestRejected as reason:
                if not self._tokens[
                    1
                ]:  # no request has succeeded yet: check whether the text or the request is the cause
                    self._check_request(reason)
                self._count("refused", text, str(reason))
                break
        return translations

    def _check_request(self, reason: RequestRejected) -> None:
        """Raise if the server rejects even a simple text."""
        try:
            self._choices("Hello.", 1, 0.0)
        except RequestRejected:
            raise UserError(f"{self.url} rejects requests ({reason}): check teacher.endpoint") from None

    def _choices(self, text: str, count: int, temperature: float) -> list[str]:
        self._check_budget()
        response = self._post(self._body(text, count, temperature))
        try:
            choices = response["choices"] or [{"finish_reason": ""}]  # filters may remove all choices
            completions = [completion_of(choice, text, self.names["target_name"]) for choice in choices]
            prompt_tokens, completion_tokens = _usage(response.get("usage"))
        except (LookupError, TypeError, AttributeError):
            raise UserError(f"{self.url} did not return an OpenAI-style response: check teacher.url") from None
        with self._lock:
            self._tokens[0] += prompt_tokens
            self._tokens[1] += completion_tokens
        for completion in completions:
            if completion.issue:
                self._count(completion.issue, text)
        return [completion.text for completion in completions if completion.issue != "cut_off"]

    def _body(self, text: str, count: int, temperature: float) -> JsonObject:
        prompt = self.settings["prompt"]
        for name, value in {**self.names, "text": text}.items():  # a text may contain braces: no str.format
            prompt = prompt.replace("{" + name + "}", value)
        body = {"model": self.settings["model"], "messages": [{"role": "user", "content": prompt}]}
        body |= {"max_tokens": self.settings["max_tokens"], "temperature": temperature or (1.0 if count > 1 else 0.0)}
        body |= ({"n": count} if count > 1 else {}) | (self.settings.get("extra") or {})
        return {key: value for key, value in body.items() if value is not None}

    def _post(self, body: JsonObject) -> JsonObject:
        """Send a request without the fields that this server does not accept; they are read from its error messages."""
        for _ in range(len(body) + 1):
            fields = self._supported(body)
            try:
                return self.server.post(self.url, fields)
            except RequestRejected as reason:
                name = reason.rejection.unsupported(fields.keys() - _REQUIRED)
                if name is None:
                    raise
                self._leave_out(name, reason)
        return self.server.post(self.url, self._supported(body))

    def _supported(self, body: JsonObject) -> JsonObject:
        with self._lock:
            names = dict(self._renamed)
        fields = {names.get(key, key): value for key, value in body.items()}
        return {key: value for key, value in fields.items() if key}

    def _leave_out(self, name: str, reason: RequestRejected) -> None:
        """Store that a field is sent under its newer name, or not at all."""
        with self._lock:
            newer = "max_completion_tokens" if name == "max_tokens" else ""
            first = name not in self._renamed
            older = next((key for key, value in self._renamed.items() if value == name), None)
            self._renamed |= {name: newer} | ({older: ""} if older else {})
        if first and not newer:
            logger.info(f"{self.url} does not accept {name!r} ({reason}): requests continue without it")

    def _count(self, issue: str, text: str, reason: str = "") -> None:
        """Count a response without a translation or with additional text; log the first of each kind."""
        with self._lock:
            self.issues[issue] += 1
            first = self.issues[issue] == 1
        if first:
            logger.info(
                f"{self.settings['model']}: {_ISSUES[issue]} (first at {text[:60]!r}{reason and ', ' + reason})"
            )

    def _check_budget(self) -> None:
        limit = self.settings["budget"]
        if limit and self.previous_cost + self._cost() >= limit:
            raise UserError(
                f"teacher.endpoint.budget of {limit:g} is used up: raise it and repeat the command to resume"
            )


def _usage(usage: object) -> tuple[int, int]:
    """Tokens of the prompt and of the completion; 0 and 1 if the server does not count them."""
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = (counts.get(key) for key in ("prompt_tokens", "completion_tokens"))
    return (prompt if isinstance(prompt, int) else 0), (completion if isinstance(completion, int) and completion else 1)
