"""The endpoints of the HTTP API: LibreTranslate's, and distilmt's own."""

from __future__ import annotations

import asyncio
import time

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from distilmt.audio.decoding import SUFFIXES as AUDIO_SUFFIXES
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.pictures.reading import SUFFIXES as PICTURE_SUFFIXES
from distilmt.serving import documents, language_codes, schemas
from distilmt.serving.catalog import PairModels
from distilmt.serving.detection import text_of_markup, unidentified
from distilmt.serving.document_model import DocumentModel
from distilmt.serving.document_process import DocumentJob, texts_of
from distilmt.serving.documents import Documents
from distilmt.serving.errors import ApiError
from distilmt.serving.limits import ApiKeys, RateLimiter
from distilmt.serving.responses import (
    ComparedTranslation,
    described_languages,
    described_model,
    translate_response,
)
from distilmt.serving.service import Route, Service, TextTranslation


class Api:
    """The endpoints. There is one object per server, so that they share models, keys and limits."""

    def __init__(self, service: Service, keys: ApiKeys, rates: RateLimiter) -> None:
        """Serve `service`'s models to clients that `keys` and `rates` admit."""
        self.service, self.keys, self.rates = service, keys, rates
        self.documents = Documents(service.config.document_seconds, keep=KeepPatterns.of(service.config.keep))
        self.config = service.config

    async def translate(self, request: Request) -> Response:
        """Translate a text, or several."""
        values = await self.authorized_parameters(request)
        translate_request = schemas.translate_request(values, self.config)
        self.consume_rate(request, values, len(translate_request.texts))
        begun = time.perf_counter()
        routes = await self._routes(translate_request)
        translations = [TextTranslation([(text, 0, "")]) for text in translate_request.texts]
        for pair in {id(route.pair): route.pair for route in routes if route.pair}.values():
            rows = [row for row, route in enumerate(routes) if route.pair is pair]
            translated = await self._translate_texts(
                translate_request, [translate_request.texts[row] for row in rows], pair
            )
            for row, one in zip(rows, translated, strict=True):
                translations[row] = one
        detected = [route.detected for route in routes]
        return JSONResponse(translate_response(translate_request, translations, detected, time.perf_counter() - begun))

    async def _routes(self, translate_request: schemas.TranslateRequest) -> list[Route]:
        """The models for each text; each text's language is detected separately."""

        def route(text: str) -> Route:
            read = text_of_markup(text) if translate_request.html else text
            return self.service.route(
                read, translate_request.source, translate_request.target, is_only_text=len(translate_request.texts) == 1
            )

        if translate_request.source != "auto":
            return [route("")] * len(translate_request.texts)
        return await asyncio.to_thread(lambda: [route(text) for text in translate_request.texts])

    async def _translate_texts(
        self, translate_request: schemas.TranslateRequest, texts: list[str], pair: PairModels
    ) -> list[TextTranslation]:
        rows = [
            row for row, text in enumerate(texts) if translate_request.is_formatted or self.documents.protects(text)
        ]
        plain = [text for row, text in enumerate(texts) if row not in set(rows)]
        plain_translations = iter(await self.service.translate(plain, pair, translate_request.alternatives))
        formatted = {row: await self._translate_markup(translate_request, texts[row], pair) for row in rows}
        return [formatted[row] if row in formatted else next(plain_translations) for row in range(len(texts))]

    async def _translate_markup(
        self, question: schemas.TranslateRequest, text: str, pair: PairModels
    ) -> TextTranslation:
        """Translate a text with markup, placeholders, code or protected patterns; without alternatives."""
        model = DocumentModel(self.service, pair)
        if question.is_formatted:  # the clients' patterns may take long too
            kind = "html" if question.html else "text"
            (page,) = texts_of(await self.documents.run(DocumentJob(kind, [text], question.keep), model))
        else:
            page = await self.documents.run_text(text, model)
        return TextTranslation([(page, 0, "")], model.sentences)

    async def detect(self, request: Request) -> Response:
        """Detect the language of a text."""
        values = await self.authorized_parameters(request)
        texts = schemas.texts(values, self.config)
        self.consume_rate(request, values, len(texts))
        candidates = await asyncio.to_thread(self.service.identify, " ".join(texts))
        return JSONResponse(candidates or [unidentified(self.service.text.languages)])

    async def languages(self) -> Response:
        """List the languages."""
        return JSONResponse(described_languages(self.service.text, self.service.pictures, self.service.speech))

    async def settings(self) -> Response:
        """Settings for the web page."""
        pair = self.service.all_pairs[0].main
        return JSONResponse(
            {
                "charLimit": self.config.char_limit,
                "frontendTimeout": 500,
                "apiKeys": bool(self.keys),
                "keyRequired": bool(self.keys),
                "suggestions": False,
                "filesTranslation": self.config.documents,
                "picturesTranslation": bool(self.service.pictures),
                "audioTranslation": bool(self.service.speech),
                "supportedFilesFormat": self.file_suffixes() if self.config.documents else [],
                "language": {
                    "source": {"code": pair.source, "name": language_codes.name(pair.source)},
                    "target": {"code": pair.target, "name": language_codes.name(pair.target)},
                },
            }
        )

    def file_suffixes(self) -> list[str]:
        """Suffixes of the files that are translated."""
        texts = documents.suffixes() if self.service.text else []
        pictures = PICTURE_SUFFIXES if self.service.pictures else ()
        return sorted([*texts, *pictures, *(AUDIO_SUFFIXES if self.service.speech else ())])

    async def suggest(self, request: Request) -> Response:
        """Suggestions of better translations: disabled."""
        raise ApiError(403, "Suggestions are disabled on this server.")

    async def models(self, request: Request) -> Response:
        """List the models."""
        self.authorize(request)
        cascade = self.config.cascade_threshold is not None
        is_loaded = self.service.model_pool.is_loaded
        return JSONResponse(
            [
                described_model(model, pair, cascade, is_loaded(model))
                for pair in self.service.all_pairs
                for model in pair.models
            ]
        )

    async def compare(self, request: Request) -> Response:
        """Translate with every model of a pair, one after the other so that their times are comparable."""
        values = await self.authorized_parameters(request)
        translate_request = schemas.translate_request(values, self.config)
        route = await asyncio.to_thread(
            self.service.route, " ".join(translate_request.texts), translate_request.source, translate_request.target
        )
        pair = route.pair
        if pair is None:
            raise ApiError(
                400, f"Invalid request: the text is already in the target language, {translate_request.target}"
            )
        self.consume_rate(request, values, len(translate_request.texts) * len(pair.models))
        responses = []
        for model in pair.models:
            async with self.service.model_pool.use(model):
                begun = time.perf_counter()
                translations = await self.service.translate(translate_request.texts, pair, model=model)
                seconds = time.perf_counter() - begun
            detected = [route.detected] * len(translations)
            compared: ComparedTranslation = {
                "name": model.name,
                "kind": model.role,
                "bytes": model.bytes,
                "milliseconds": round(1000 * seconds, 1),
                **translate_response(translate_request, translations, detected, seconds),
            }
            responses.append(compared)
        return JSONResponse(responses)

    async def health(self) -> Response:
        """Health check."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """Counters, for Prometheus."""
        self.authorize(request)
        self.service.metrics.waiting.set(self.service.model_pool.waiting)
        return Response(self.service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def authorize(self, request: Request) -> None:
        """Reject a request without a body that lacks a required API key."""
        self.keys.check(_api_key(request, request.query_params))

    async def authorized_parameters(self, request: Request) -> schemas.Parameters:
        """All parameters of the request, after the check of its API key."""
        values = await schemas.read_parameters(request, self.config.body_bytes)
        self.check_key(request, values)
        return values

    def check_key(self, request: Request, values: schemas.Parameters) -> None:
        """Reject a request that lacks a required API key."""
        self.keys.check(_api_key(request, values))

    def consume_rate(self, request: Request, values: schemas.Parameters, texts: int) -> None:
        """Count texts of a client; reject the request if there are too many."""
        client = _api_key(request, values) if self.keys else None
        self.rates.consume(client or (request.client.host if request.client else ""), texts)


def _api_key(request: Request, values: schemas.Parameters) -> str | None:
    bearer = request.headers.get("authorization", "")
    key = values.get("api_key") or bearer.removeprefix("Bearer ").strip()
    return key if isinstance(key, str) else None
