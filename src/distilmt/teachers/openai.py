"""A language model as teacher, with OpenAI's chat completions API (also vLLM, llama.cpp and Ollama)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from distilmt.config import EndpointConfig
from distilmt.inference.base import DecodingOptions
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.teachers.chat_messages import ChatMessages, without_tags
from distilmt.teachers.completions import Completion, clean_output, output_of, without_thoughts
from distilmt.teachers.endpoint import Endpoint, RequestRejected
from distilmt.teachers.numbered_lines import are_confused, parse_lines
from distilmt.teachers.response_counts import ResponseCounts
from distilmt.teachers.scored_text import ScoredText, mean_logprob
from distilmt.teachers.supported_fields import SupportedFields
from distilmt.teachers.translation_faults import TranslationCheck
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject

_NONE: ScoredText = ("", 0.0)


class OpenAI:
    """One request per sentence or per several numbered ones; `count` above 1 requests that many samples of each."""

    def __init__(self, facts: TeacherReference) -> None:
        """Read the endpoint from `url` and `endpoint`, and the languages from `source` and `target`."""
        self.settings: JsonObject = {**asdict(EndpointConfig()), **facts["endpoint"]}
        self.url = facts["url"].rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self.server = Endpoint(self.settings)
        self.batch = int(self.settings["lines_per_request"])
        self._requests = SupportedFields(self.server, self.url)
        self._messages = ChatMessages(self.settings, facts["source"], facts["target"])
        self._check = TranslationCheck(facts["source"], facts["target"], self.settings["accept"])
        self._counts = ResponseCounts(str(self.settings["model"]))
        self.previous_cost = 0.0
        """Cost of earlier processes."""
        self._tokens, self._lock = [0, 0], threading.Lock()

    @property
    def issues(self) -> Counter[str]:
        """Counts of responses without a translation or with additional text, by kind."""
        return self._counts.issues

    def translate_batches(
        self, batches: Iterable[list[str]], options: DecodingOptions
    ) -> Iterator[tuple[list[str], list[list[ScoredText]]]]:
        """Translations of texts in order of completion; none if the model refused a text or hit the token limit.

        Raises:
            UserError: the endpoint cannot be used, or the budget is used up.
        """
        count, temperature = options.num_hypotheses, options.sampling_temperature
        yield from self.server.map_concurrently(lambda texts: self._batch(texts, count, temperature), batches)

    def usage(self) -> dict[str, float]:
        """Requests, tokens and cost of this process so far, and counts of responses without a translation, by kind."""
        prompt_tokens, completion_tokens = self._tokens
        tokens = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        return {"requests": self.server.requests, **tokens, **self._counts.by_kind(), "cost": self._cost()}

    def _cost(self) -> float:
        prompt_tokens, completion_tokens = self._tokens
        prices = float(self.settings["input_price"]), float(self.settings["output_price"])
        return (prompt_tokens * prices[0] + completion_tokens * prices[1]) / 1e6

    def _batch(self, texts: list[str], count: int, temperature: float) -> list[list[ScoredText]]:
        """Translations of each text. Samples, and texts with instructions to a model, have requests of their own."""
        together = [text for text in texts if count == 1 and not self._check.has_instructions(text)]
        translations = self._together(together, temperature) if len(together) > 1 else {}
        return [[translations[text]] if text in translations else self._one(text, count, temperature) for text in texts]

    def _together(self, texts: Sequence[str], temperature: float) -> dict[str, ScoredText]:
        """Translations of texts in one request, without those that are no translation."""
        try:
            choice = self._request(self._messages.of_lines(texts), 1, temperature, len(texts))[0]
            output, issue = output_of(choice)
        except RequestRejected:  # one of the texts may be the cause
            return {}
        except (LookupError, TypeError, AttributeError):
            raise self._other_api() from None
        response = without_thoughts(output, "\n".join(texts))
        lines = parse_lines(response, len(texts)) if response and not issue else None
        if lines is None or are_confused(texts, lines):
            self._counts.add(issue or "mismatched", texts[0])
            return {}
        scored = [
            self._scored(choice, self._cleaned(line, text), text) for line, text in zip(lines, texts, strict=True)
        ]
        return {text: each for text, each in zip(texts, scored, strict=True) if each != _NONE}

    def _one(self, text: str, count: int, temperature: float) -> list[ScoredText]:
        """Request until there are enough choices: some servers return fewer than requested."""
        translations: list[ScoredText] = []
        for _ in range(count):
            if len(translations) >= count:
                break
            try:
                translations += self._choices(text, count - len(translations), temperature)
            except RequestRejected as reason:
                if not self._tokens[1]:  # no request has succeeded yet: is the text the cause, or the request?
                    self._check_request(reason)
                self._counts.add("refused", text, str(reason))
                break
        return translations

    def _check_request(self, reason: RequestRejected) -> None:
        """Raise if the server rejects even a simple text."""
        try:
            self._choices("Hello.", 1, 0.0)
        except RequestRejected:
            raise UserError(f"{self.url} rejects requests ({reason}): check teacher.endpoint") from None

    def _choices(self, text: str, count: int, temperature: float) -> list[ScoredText]:
        messages = self._messages.of_text(text, self._check.has_instructions(text))
        translations = []
        for choice in self._request(messages, count, temperature, 1):
            try:
                output, issue = output_of(choice)
            except (LookupError, TypeError, AttributeError):
                raise self._other_api() from None
            completion = Completion("", issue) if issue else self._cleaned(output, text)
            scored = self._scored(choice, completion, text)
            translations += [] if completion.issue == "cut_off" else [scored]
        return translations

    def _cleaned(self, output: str, text: str) -> Completion:
        """The translation in an output; tags around a text with instructions are not counted."""
        target = self._messages.names["target_name"]
        return clean_output(without_tags(output, text) if self._check.has_instructions(text) else output, text, target)

    def _scored(self, choice: JsonObject, completion: Completion, text: str) -> ScoredText:
        """A translation with its score, empty if it is none; counts it."""
        fault = self._check.fault(completion.text, text) if completion.text else ""
        self._counts.add_response(completion, fault, text)
        if fault or not completion.text:
            return _NONE
        return completion.text, mean_logprob(choice, completion.text) if self.settings["logprobs"] else 0.0

    def _request(self, messages: list[JsonObject], count: int, temperature: float, lines: int) -> list[JsonObject]:
        """The choices of a response; counts its tokens."""
        self._check_budget()
        response = self._requests.post(self._body(messages, count, temperature, lines))
        try:
            choices = response["choices"] or [{"finish_reason": ""}]  # filters may remove all choices
            prompt_tokens, completion_tokens = _usage(response.get("usage"))
            choices = [choice | {} for choice in choices]
        except (LookupError, TypeError, AttributeError):
            raise self._other_api() from None
        with self._lock:
            self._tokens[0] += prompt_tokens
            self._tokens[1] += completion_tokens
        return choices

    def _other_api(self) -> UserError:
        return UserError(f"{self.url} did not return an OpenAI-style response: check teacher.url")

    def _body(self, messages: list[JsonObject], count: int, temperature: float, lines: int) -> JsonObject:
        """Fields of a request; responses to several lines may have as many tokens for each."""
        body = {"model": self.settings["model"], "messages": messages}
        body |= {"max_tokens": self.settings["max_tokens"] * lines}
        body |= {"temperature": temperature or (1.0 if count > 1 else 0.0)}
        body |= {"logprobs": True} if self.settings["logprobs"] else {}
        body |= ({"n": count} if count > 1 else {}) | (self.settings.get("extra") or {})
        return {key: value for key, value in body.items() if value is not None}

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
