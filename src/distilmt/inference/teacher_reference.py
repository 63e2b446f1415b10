"""The record of a teacher that is not part of the run: `teacher.json`, and the entry `outside` of an export."""

from __future__ import annotations

from typing import TypedDict

from distilmt.utils.json_types import JsonMapping, JsonObject


class TeacherReference(TypedDict, total=False):
    """A referenced teacher; which keys it has depends on its kind."""

    kind: str
    """`command`, `openai`, `libretranslate`, `ctranslate2`, `huggingface`, or `transformers` (`generate` is used)."""
    name: str
    """The teacher in messages: a path, a command line, a URL or a server's name of a model."""
    family: str
    """Architecture, such as `t5`; for other teachers the kind."""
    path: str
    """Directory or name on the hub."""
    prefix: str
    """Text before every source."""
    parameters: int
    license: str
    command: str
    url: str
    request: JsonObject
    """Endpoint settings that responses depend on; they are part of the key of cached responses."""
    endpoint: JsonObject
    """The fields of `EndpointConfig`."""
    cache_file: str
    """Path of the cached responses."""
    source: str
    target: str
    source_language: str
    """The tokenizer's code of the source language."""
    target_prefix: str
    """The token of the target language."""
    max_positions: int


_FORMER_KEYS = {"asked": "request", "answers": "cache_file", "licence": "license"}


def read_reference(facts: JsonMapping) -> TeacherReference:
    """A record with the keys of today; older versions had other names for some."""
    reference: TeacherReference = {}
    reference.update({_FORMER_KEYS.get(key, key): value for key, value in facts.items()})  # type: ignore[typeddict-item]
    return reference
