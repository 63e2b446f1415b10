"""The HTTP API: LibreTranslate's endpoints, and distilmt's own."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from distilmt import __version__
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.serving import documents, language_codes, schemas, spec
from distilmt.serving.catalog import ModelInfo, PairModels
from distilmt.serving.detection import Candidate, text_of_markup, unidentified, warm_up
from distilmt.serving.document_model import DocumentModel
from distilmt.serving.document_process import DocumentJob
from distilmt.serving.documents import Documents
from distilmt.serving.errors import ApiError
from distilmt.serving.limits import ApiKeys, RateLimiter
from distilmt.serving.middleware import RequestLimitMiddleware
from distilmt.serving.service import Route, Service, TextTranslation
from distilmt.serving.static_pages import add_pages

_NO_JSON = ("/download_file/{filename}", "/metrics")


class Api:
    """The endpoints. There is one object per server, so that they share models, keys and limits."""

    def __init__(self, service: Service, keys: ApiKeys, rates: RateLimiter) -> None:
        """Serve `service`'s models to clients that `keys` and `rates` admit."""
        self.service, self.keys, self.rates = service, keys, rates
        self.documents = Documents(service.config.document_seconds, keep=KeepPatterns.of(service.config.keep))
        self.config = service.config

    async def translate(self, request: Request) -> Response:
        """Translate a text, or several."""
        values = await self._authorized_parameters(request)
        translate_request = schemas.translate_request(values, self.config)
        self._consume_rate(request, values, len(translate_request.texts))
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
        return JSONResponse(_translate_response(translate_request, translations, detected, time.perf_counter() - begun))

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
            (page,) = await self.documents.run(DocumentJob(kind, [text], question.keep), model)
        else:
            page = await self.documents.run_text(text, model)
        return TextTranslation([(page, 0, "")], model.sentences)

    async def detect(self, request: Request) -> Response:
        """Detect the language of a text."""
        values = await self._authorized_parameters(request)
        texts = schemas.texts(values, self.config)
        self._consume_rate(request, values, len(texts))
        candidates = await asyncio.to_thread(self.service.identify, " ".join(texts))
        return JSONResponse(candidates or [unidentified(self.service.languages)])

    async def languages(self) -> Response:
        """List the languages."""
        targets = self.service.targets
        every = sorted({*targets, *(target for target_codes in targets.values() for target in target_codes)})
        return JSONResponse(
            [{"code": code, "name": language_codes.name(code), "targets": targets.get(code, [])} for code in every]
        )

    async def translate_file(self, request: Request) -> Response:
        """Translate a document."""
        if not self.config.documents:
            raise ApiError(403, "Files translation are disabled on this server.")
        values = await self._authorized_parameters(request)
        file = values.get("file")
        if not isinstance(file, UploadFile):
            raise ApiError(400, "Invalid request: missing file parameter")
        name = schemas.replace_surrogates(file.filename or "")
        kind = documents.suffix(name)
        source, target = schemas.short_text(values, "source"), schemas.short_text(values, "target")
        data = await file.read()
        self._consume_rate(request, values, max(1, len(data) // self.config.char_limit))
        job, begun = DocumentJob(kind, data, schemas.patterns(values)), time.monotonic()
        text = await self.documents.sample(job, begun) if source == "auto" else ""
        route = await asyncio.to_thread(self.service.route, text, source, target)
        done = await self.documents.run(job, DocumentModel(self.service, route.pair), begun)
        token = self.documents.keep(documents.safe_name(name, self.service.language(target)), done)
        return JSONResponse({"translatedFileUrl": self._base_url(request) + f"/download_file/{quote(token)}"})

    def _base_url(self, request: Request) -> str:
        """Prefix of URLs in responses; empty (a relative URL) if the request's host name is unknown.

        A Host header can contain anything, so that only this machine's names and addresses are returned to clients.
        """
        if self.config.public_url:
            return self.config.public_url.rstrip("/")
        ours = {"localhost", "127.0.0.1", "::1", self.config.host, (request.scope.get("server") or [None])[0]}
        return f"{request.url.scheme}://{request.url.netloc}" if _host(request) in ours else ""

    async def download_file(self, filename: str) -> Response:
        """Fetch a translated document."""
        name, data = self.documents.find(filename)
        headers = {"Content-Disposition": documents.disposition(name), "Cache-Control": "private, no-store"}
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def settings(self) -> Response:
        """Settings for the web page."""
        pair = next(iter(self.service.pairs.values())).main
        return JSONResponse(
            {
                "charLimit": self.config.char_limit,
                "frontendTimeout": 500,
                "apiKeys": bool(self.keys),
                "keyRequired": bool(self.keys),
                "suggestions": False,
                "filesTranslation": self.config.documents,
                "supportedFilesFormat": documents.suffixes() if self.config.documents else [],
                "language": {
                    "source": {"code": pair.source, "name": language_codes.name(pair.source)},
                    "target": {"code": pair.target, "name": language_codes.name(pair.target)},
                },
            }
        )

    async def suggest(self, request: Request) -> Response:
        """Suggestions of better translations: disabled."""
        raise ApiError(403, "Suggestions are disabled on this server.")

    async def models(self, request: Request) -> Response:
        """List the models."""
        self.authorize(request)
        return JSONResponse([self._model(pair, model) for pair in self.service.pairs.values() for model in pair.models])

    def _model(self, pair: PairModels, model: ModelInfo) -> dict[str, Any]:
        cascade = self.config.cascade_threshold is not None and model is pair.teacher
        return {
            "name": model.name,
            "source": model.source,
            "target": model.target,
            "kind": model.role,
            "bytes": model.bytes,
            "parameters": model.parameters,
            "scores": model.scores,
            "translates": model is pair.main,
            "cascade": cascade,
            "loaded": self.service.model_pool.is_loaded(model),
            "report": f"/report?model={model.name}" if model.report else None,
        }

    async def compare(self, request: Request) -> Response:
        """Translate with every model of a pair, one after the other so that their times are comparable."""
        values = await self._authorized_parameters(request)
        translate_request = schemas.translate_request(values, self.config)
        route = await asyncio.to_thread(
            self.service.route, " ".join(translate_request.texts), translate_request.source, translate_request.target
        )
        pair = route.pair
        if pair is None:
            raise ApiError(
                400, f"Invalid request: the text is already in the target language, {translate_request.target}"
            )
        self._consume_rate(request, values, len(translate_request.texts) * len(pair.models))
        responses = []
        for model in pair.models:
            async with self.service.model_pool.use(model):
                begun = time.perf_counter()
                translations = await self.service.translate(translate_request.texts, pair, model=model)
                seconds = time.perf_counter() - begun
            responses.append(
                {
                    "name": model.name,
                    "kind": model.role,
                    "bytes": model.bytes,
                    "milliseconds": round(1000 * seconds, 1),
                    **_translate_response(
                        translate_request, translations, [route.detected] * len(translations), seconds
                    ),
                }
            )
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

    async def _authorized_parameters(self, request: Request) -> schemas.Parameters:
        """All parameters of the request, after the check of its API key."""
        values = await schemas.read_parameters(request, self.config.body_bytes)
        self.keys.check(_api_key(request, values))
        return values

    def _consume_rate(self, request: Request, values: schemas.Parameters, texts: int) -> None:
        client = _api_key(request, values) if self.keys else None
        self.rates.consume(client or (request.client.host if request.client else ""), texts)


def _api_key(request: Request, values: schemas.Parameters) -> str | None:
    bearer = request.headers.get("authorization", "")
    key = values.get("api_key") or bearer.removeprefix("Bearer ").strip()
    return key if isinstance(key, str) else None


def _host(request: Request) -> str | None:
    """The host name of a request without the port; None if it is missing or invalid."""
    try:
        return (
            request.url.hostname
            if re.fullmatch(r"(\[[\d:a-fA-F.]+\]|[\w.-]+)(:\d{1,5})?", request.headers.get("host", ""))
            else None
        )
    except ValueError:
        return None


def _translate_response(
    translate_request: schemas.TranslateRequest,
    translations: list[TextTranslation],
    detected: Sequence[Candidate | None],
    seconds: float,
) -> dict[str, Any]:
    """Response in LibreTranslate's format; lists if the request has a list of texts."""

    def one_or_all(values: list[Any]) -> Any:
        return values if translate_request.is_list else values[0]

    response: dict[str, Any] = {"translatedText": one_or_all([one.text for one in translations])}
    if translate_request.source == "auto":
        response["detectedLanguage"] = one_or_all(list(detected))
    if translate_request.alternatives:
        response["alternatives"] = one_or_all(
            [one.alternatives(translate_request.alternatives) for one in translations]
        )
    if translate_request.details:
        response["details"] = one_or_all([_details(one) for one in translations])
        response["milliseconds"] = round(1000 * seconds, 1)
    return response


def _details(one: TextTranslation) -> list[dict[str, Any]]:
    return [
        {
            "source": sentence.source,
            "translation": sentence.hypotheses[0].text,
            "score": round(sentence.hypotheses[0].score, 4),
            "confidence": round(sentence.hypotheses[0].confidence, 4),
            "model": sentence.model,
        }
        for sentence in one.sentences
    ]


def make_app(service: Service, keys: ApiKeys, rates: RateLimiter) -> FastAPI:
    """The ASGI app, including its middleware (`app.state.middleware`).

    Args:
        service: the models.
        keys: API keys.
        rates: rate limits.
    """
    api = Api(service, keys, rates)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(warm_up)
        yield
        api.documents.close()
        service.model_pool.close()

    app = FastAPI(
        title="distilmt",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/spec",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.api = api
    operations = spec.operations(service.targets, service.config)
    for path, method, endpoint in _routes(api):
        kind = Response if path in _NO_JSON else JSONResponse
        app.add_api_route(path, endpoint, methods=[method], response_class=kind, openapi_extra=operations.get(path))
    add_pages(app, service, operations["/report"], api.authorize)
    app.add_exception_handler(ApiError, _handle_api_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    paths = frozenset(path for path, *_ in _routes(api))
    if service.config.cors_origin:
        app.add_middleware(CORSMiddleware, allow_origins=[service.config.cors_origin], allow_methods=["GET", "POST"])
    app.state.middleware = RequestLimitMiddleware(app, service.metrics, paths, service.config.body_bytes)
    return app


def _routes(api: Api) -> list[tuple[str, str, Any]]:
    return [
        ("/translate", "POST", api.translate),
        ("/detect", "POST", api.detect),
        ("/languages", "GET", api.languages),
        ("/translate_file", "POST", api.translate_file),
        ("/download_file/{filename}", "GET", api.download_file),
        ("/frontend/settings", "GET", api.settings),
        ("/suggest", "POST", api.suggest),
        ("/models", "GET", api.models),
        ("/compare", "POST", api.compare),
        ("/health", "GET", api.health),
        ("/healthz", "GET", api.health),
        ("/metrics", "GET", api.metrics),
    ]


async def _handle_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse({"error": error.message}, error.status, error.headers)


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ["OPTIONS", *(error.headers or {}).get("Allow", "").split(", ")]
        if "GET" in allowed:
            allowed.append("HEAD")
        error.headers = {"Allow": ", ".join(filter(None, allowed))}
        if request.method == "OPTIONS":
            return Response(headers=error.headers)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)
