"""What OpenAPI says of the endpoints that read their bodies themselves."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_TEXTS = {"oneOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_KEY = {"api_key": {"type": "string", "description": "API key, where the server asks for one"}}
_LANGUAGES = {
    "source": {"type": "string", "description": "Language code, or auto"},
    "target": {"type": "string", "description": "Language code"},
}
_ERROR = {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]}
_DETECTED = {"type": "object", "properties": {"confidence": {"type": "number"}, "language": _TEXT}}
_ANSWER = {
    "type": "object",
    "properties": {
        "translatedText": _TEXTS,
        "detectedLanguage": {"oneOf": [_DETECTED, {"type": "array", "items": _DETECTED}]},
        "alternatives": {"type": "array", "items": _TEXTS},
        "details": {"type": "array"},
        "milliseconds": {"type": "number"},
    },
    "required": ["translatedText"],
}
_QUESTION = {
    "q": _TEXTS,
    **_LANGUAGES,
    "format": {"type": "string", "enum": ["text", "html"], "default": "text"},
    "alternatives": {"type": "integer", "minimum": 0, "default": 0},
    "details": {"type": "boolean", "default": False, "description": "Sentences with score and model (distilmt's own)"},
    **_KEY,
}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    refused = {
        "400": "Invalid request, or no API key",
        "403": "Wrong API key",
        "408": "The request came too slowly",
        "413": "Too many bytes",
        "415": "Neither JSON nor a form",
        "429": "Slow down",
        "503": "Busy",
    }
    responses: dict[str, Any] = {"200": {"description": "Done", "content": _json(answer)}}
    responses |= {status: {"description": text, "content": _json(_ERROR)} for status, text in refused.items()}
    return {"requestBody": {"required": True, "content": body}, "responses": responses}


def _both(schema: dict[str, Any]) -> dict[str, Any]:
    return _json(schema) | {"application/x-www-form-urlencoded": {"schema": schema}}


_FILE = _object({"file": {"type": "string", "format": "binary"}, **_LANGUAGES, **_KEY}, ["file", "source", "target"])

OPERATIONS: dict[str, dict[str, Any]] = {
    "/translate": _operation(_both(_object(_QUESTION, ["q", "source", "target"])), _ANSWER),
    "/compare": _operation(_both(_object(_QUESTION, ["q", "source", "target"])), {"type": "array", "items": _ANSWER}),
    "/detect": _operation(_both(_object({"q": _TEXTS, **_KEY}, ["q"])), {"type": "array", "items": _DETECTED}),
    "/translate_file": _operation(
        {"multipart/form-data": {"schema": _FILE}}, _object({"translatedFileUrl": _TEXT}, ["translatedFileUrl"])
    ),
}
"""By path, merged into what FastAPI finds out by itself."""
