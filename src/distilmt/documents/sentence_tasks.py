"""Sentences that are translated together: each is a task that requests translations and attention as it needs them."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from distilmt.documents import Translate, TranslateWithAttention
from distilmt.documents.segments import Segment
from distilmt.inference.base import WordAttention

_Item = TypeVar("_Item")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# Maximum characters per call: a program can be stopped between two calls.
_BATCH = 20_000


@dataclass
class TranslationRequest:
    """Texts to translate; the translations are there when the task continues."""

    texts: list[str]
    translations: list[str] = field(default_factory=list)


@dataclass
class AttentionRequest:
    """A sentence and its translation; the attention of the translation's words is there when the task continues."""

    sentence: str
    translation: str
    words: list[WordAttention] = field(default_factory=list)


Request: TypeAlias = TranslationRequest | AttentionRequest
SentenceTask: TypeAlias = Generator[Request, None, Segment]
"""Yields requests, continues when they are complete, and returns the translated sentence."""


def run_tasks(tasks: Sequence[SentenceTask], translate: Translate) -> list[Segment]:
    """Run tasks together: the requests of all are translated in common batches, every text once.

    Args:
        tasks: one for each sentence.
        translate: maps sentences to translations; a `TranslateWithAttention` also gives their attention.

    Returns:
        The result of every task.
    """
    results: list[Segment] = [[] for _ in tasks]
    translations: dict[str, str] = {}
    active = list(range(len(tasks)))
    while active:
        requests: dict[int, Request] = {}
        for number in active:
            try:
                requests[number] = next(tasks[number])
            except StopIteration as stop:
                results[number] = stop.value
        _complete_translations(requests.values(), translate, translations)
        _complete_attention(requests.values(), translate)
        active = list(requests)
    return results


def _complete_translations(requests: Iterable[Request], translate: Translate, translations: dict[str, str]) -> None:
    """Translate the requested texts; `translations` has those of earlier requests, and gets the new ones."""
    own = [request for request in requests if isinstance(request, TranslationRequest)]
    texts = dict.fromkeys(text for request in own for text in request.texts if text not in translations)
    for batch in _batches(list(texts), len):
        translations.update(zip(batch, map(_clean, translate(batch)), strict=True))
    for request in own:
        request.translations = [translations[text] or text for text in request.texts]


def _complete_attention(requests: Iterable[Request], translate: Translate) -> None:
    """Fetch the requested attention; empty if the model has none."""
    own = [request for request in requests if isinstance(request, AttentionRequest)]
    if not isinstance(translate, TranslateWithAttention):
        return
    pairs = dict.fromkeys((request.sentence, request.translation) for request in own)
    attention: dict[tuple[str, str], list[WordAttention]] = {}
    for batch in _batches(list(pairs), lambda pair: len(pair[0]) + len(pair[1])):
        sentences, batch_translations = [pair[0] for pair in batch], [pair[1] for pair in batch]
        attention.update(zip(batch, translate.attention(sentences, batch_translations), strict=True))
    for request in own:
        request.words = attention[request.sentence, request.translation]


def _batches(items: Sequence[_Item], size: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """Batches of items, limited by `_BATCH`."""
    batch: list[_Item] = []
    total = 0
    for item in items:
        if batch and total + size(item) > _BATCH:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size(item)
    if batch:
        yield batch


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub("", text).split())
