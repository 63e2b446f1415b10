"""OpenAPI descriptions of the endpoints that parse their bodies themselves."""

from __future__ import annotations

from typing import TypeAlias

from distilmt.config.commands import ServeConfig
from distilmt.serving.audio_responses import FORMATS
from distilmt.serving.service import Service
from distilmt.utils.json_types import JsonObject

Schema: TypeAlias = JsonObject
"""An OpenAPI schema."""

_TEXT: Schema = {"type": "string"}
_TEXT_OR_TEXTS: Schema = {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_KEY: Schema = {"api_key": {"type": "string", "description": "API key, if the server requires one"}}
_KEEP_IN_FORM: Schema = {
    "keep": {
        "type": "string",
        "maxLength": 200,
        "description": "Regular expression of text to retain (extension of distilmt)",
    }
}
_KEEP: Schema = {"keep": {"oneOf": [_KEEP_IN_FORM["keep"], {"type": "array", "items": _TEXT, "maxItems": 16}]}}
_ERROR: Schema = {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]}
_DETECTED: Schema = {"type": "object", "properties": {"confidence": {"type": "number"}, "language": _TEXT}}
_TRANSLATE_RESPONSE: Schema = {
    "type": "object",
    "properties": {
        "translatedText": _TEXT_OR_TEXTS,
        "detectedLanguage": {"oneOf": [_DETECTED, {"type": "array", "items": _DETECTED}]},
        "alternatives": {"type": "array", "items": _TEXT_OR_TEXTS},
        "details": {"type": "array"},
        "milliseconds": {"type": "number"},
    },
    "required": ["translatedText"],
}
_BOX: Schema = {
    "type": "array",
    "items": {"type": "integer"},
    "minItems": 4,
    "maxItems": 4,
    "description": "Left, top, right, bottom in pixels of the page",
}
_POINT: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_QUAD: Schema = {
    "type": "array",
    "items": _POINT,
    "minItems": 4,
    "maxItems": 4,
    "description": "Corners (x, y) in pixels of the page, clockwise from the top left of the text as it is read",
}


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _whole(properties: Schema) -> Schema:
    """An object that has all its properties."""
    return _object(properties, list(properties))


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_PARAGRAPH = _whole({"translation": _TEXT, "box": _BOX, "lines": _list(_whole({"box": _BOX, "quad": _QUAD}))})
_INTEGER: Schema = {"type": "integer"}
_PAGE = _whole({"page": _INTEGER, "width": _INTEGER, "height": _INTEGER, "paragraphs": _list(_PARAGRAPH)})
_IMAGE_RESPONSE = _whole({"pages": _list(_PAGE), "translatedText": _TEXT, "milliseconds": {"type": "number"}})
_BINARY: Schema = {"type": "string", "format": "binary"}
_NUMBER: Schema = {"type": "number"}
_SEGMENT = _object({"id": _INTEGER, "start": _NUMBER, "end": _NUMBER, "text": _TEXT}, ["id", "start", "end", "text"])
_AUDIO_RESPONSE = _object(
    {"text": _TEXT, "task": _TEXT, "language": _TEXT, "duration": _NUMBER, "segments": _list(_SEGMENT)}, ["text"]
)
_OPENAI_ERROR = _whole({"error": _object({"message": _TEXT, "type": _TEXT}, ["message"])})
_ERRORS_BY_STATUS = {
    "400": "Invalid request, or no API key",
    "403": "Wrong API key, or disabled here",
    "404": "Not found",
    "408": "The request arrived too slowly",
    "413": "Too many bytes",
    "415": "Neither JSON nor a form",
    "429": "Slow down",
    "503": "Busy",
}


def operations(service: Service) -> dict[str, Schema]:
    """Additions to FastAPI's own OpenAPI description, by path: languages and limits of a service."""
    targets, picture_targets, config = service.text.targets, service.pictures.targets, service.config
    properties = _translate_properties(targets, config)
    whole = _both(_object(properties, ["q", "source", "target"]))
    file = _object(
        {"file": _BINARY, **_languages(_merged(targets, picture_targets, service.speech.targets)), **_KEEP_IN_FORM}
        | _KEY,
        ["file", "source", "target"],
    )
    link = _object({"translatedFileUrl": _TEXT}, ["translatedFileUrl"])
    return {
        "/translate": _operation(whole, _TRANSLATE_RESPONSE),
        "/compare": _operation(whole, {"type": "array", "items": _TRANSLATE_RESPONSE}),
        "/detect": _operation(
            _both(_object({"q": properties["q"], **_KEY}, ["q"])), {"type": "array", "items": _DETECTED}
        ),
        "/translate_file": _operation({"multipart/form-data": {"schema": file}}, link),
        "/translate_image": _operation(_picture(picture_targets), _IMAGE_RESPONSE)
        | {"parameters": [_in_query(name, schema) for name, schema in _languages(picture_targets).items()]},
        "/v1/audio/translations": _audio(_languages(service.speech.targets)),
        "/v1/audio/transcriptions": _audio({"language": _TEXT}),
        "/suggest": {"responses": _error_responses("403")},
        "/download_file/{filename}": {
            "responses": {"200": _bytes("application/octet-stream")} | _error_responses("404")
        },
        "/report": {"responses": {"200": _bytes("text/html")} | _error_responses("404")},
        "/metrics": {"responses": {"200": _bytes("text/plain")}},
    }


def _merged(*targets: dict[str, list[str]]) -> dict[str, list[str]]:
    """Target languages by source language, of models of all kinds."""
    sources = {source for each in targets for source in each}
    return {source: [code for each in targets for code in each.get(source, [])] for source in sources}


def _audio(languages: Schema) -> Schema:
    """OpenAI's description of an audio endpoint, without what is ignored here."""
    properties = {
        "file": _BINARY,
        "model": _TEXT | {"description": "Name of a served model; any other name is that of the only one"},
        "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
        **languages,
        **_KEY,
    }
    operation = _operation({"multipart/form-data": {"schema": _object(properties, ["file"])}}, _AUDIO_RESPONSE)
    operation["responses"]["200"]["content"] |= {kind: {"schema": _TEXT} for kind in ("text/plain", "text/vtt")}
    for status in _ERRORS_BY_STATUS:
        operation["responses"][status]["content"] = _json(_OPENAI_ERROR)
    return operation


def _translate_properties(targets: dict[str, list[str]], config: ServeConfig) -> Schema:
    text = _TEXT | {"minLength": 1, "maxLength": config.char_limit}
    texts = {"type": "array", "items": _TEXT | {"maxLength": config.char_limit}, "minItems": 1}
    return {
        "q": {"oneOf": [text, texts | {"maxItems": config.batch_limit}]},
        **_languages(targets),
        "format": {"type": "string", "enum": ["text", "html"], "default": "text"},
        "alternatives": {"type": "integer", "minimum": 0, "maximum": config.alternatives_limit, "default": 0},
        "details": {
            "type": "boolean",
            "default": False,
            "description": "Sentences with score (mean log-probability per token), confidence (0 to 1) and model",
        },
        **_KEEP,
        **_KEY,
    }


def _languages(targets: dict[str, list[str]]) -> Schema:
    """The parameters `source` and `target`."""
    sources, codes = [*sorted(targets), "auto"], sorted({code for codes in targets.values() for code in codes})
    target = {"type": "string", "description": "Language code"}
    return {
        "source": {"type": "string", "enum": sources, "description": "Language code, or auto"},
        "target": target | ({"enum": codes} if codes else {}),
    }


def _picture(targets: dict[str, list[str]]) -> Schema:
    """A picture or PDF in a form, or as the body with the other parameters in the query."""
    form = _object({"file": _BINARY, **_languages(targets), **_KEY}, ["file", "source", "target"])
    bodies = ("image/*", "application/pdf", "application/octet-stream")
    return {"multipart/form-data": {"schema": form}} | {kind: {"schema": _BINARY} for kind in bodies}


def _in_query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _both(schema: Schema) -> Schema:
    """A schema for JSON, and for a form, which has one text."""
    one = {name: schema["properties"][name]["oneOf"][0] for name in ("q", "keep") if name in schema["properties"]}
    form = schema | {"properties": schema["properties"] | one}
    return _json(schema) | {"application/x-www-form-urlencoded": {"schema": form}}


def _bytes(kind: str) -> Schema:
    return {"description": "Done", "content": {kind: {"schema": _TEXT}}}


def _error_responses(*statuses: str) -> Schema:
    return {status: {"description": _ERRORS_BY_STATUS[status], "content": _json(_ERROR)} for status in statuses}


def _operation(body: Schema, response: Schema) -> Schema:
    responses = {"200": {"description": "Done", "content": _json(response)}} | _error_responses(*_ERRORS_BY_STATUS)
    return {"requestBody": {"required": True, "content": body}, "responses": responses}
