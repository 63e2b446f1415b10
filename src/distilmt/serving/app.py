"""The HTTP interface: LibreTranslate's, and what distilmt has besides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from distilmt import __version__
from distilmt.serving import asked, codes, documents, spec
from distilmt.serving.detection import detect, warm_up
from distilmt.serving.documents import Documents
from distilmt.serving.errors import Refused
from distilmt.serving.gate import Gate
from distilmt.serving.limits import Keys, Rates
from distilmt.serving.models import Known, Pair
from distilmt.serving.pages import add_pages
from distilmt.serving.service import Service, Translated

_NO_JSON = ("/download_file/{filename}", "/metrics")


class Api:
    """The endpoints. One object a server, so that they share models, keys and limits."""

    def __init__(self, service: Service, keys: Keys, rates: Rates) -> None:
        """Answer with `service` whom `keys` and `rates` let in."""
        self.service, self.keys, self.rates = service, keys, rates
        self.documents = Documents()
        self.config = service.config

    async def translate(self, request: Request) -> Response:
        """Translate a text, or several."""
        values = await self._let_in(request)
        question = asked.question(values, self.config)
        self._spend(request, values, len(question.texts))
        source: dict[str, Any] | None = None
        if question.source == "auto":
            source = self.service.source_of(question.texts, question.target)
        begun = time.perf_counter()
        if codes.shown(question.source) == codes.shown(question.target) or (
            source and source["language"] == codes.shown(question.target)
        ):
            said = [Translated([(text, 0, "")]) for text in question.texts]
        else:
            pair = self.service.pair(str(source["language"]) if source else question.source, question.target)
            said = await self._said(question, pair)
        return JSONResponse(_answer(question, said, source, time.perf_counter() - begun))

    async def _said(self, question: asked.Question, pair: Pair) -> list[Translated]:
        if not question.html:
            return await self.service.translate(question.texts, pair, question.alternatives)
        ask = self.service.from_thread(pair, asyncio.get_running_loop())
        pages = await self.documents.run(lambda: [documents.translate_html(text, ask) for text in question.texts])
        return [Translated([(page, 0, "")]) for page in pages]

    async def detect(self, request: Request) -> Response:
        """Tell the language of a text."""
        values = await self._let_in(request)
        texts = asked.texts(values, self.config)
        self._spend(request, values, len(texts))
        return JSONResponse(detect(texts))

    async def languages(self) -> Response:
        """List the languages."""
        targets = self.service.targets
        every = sorted({*targets, *(target for found in targets.values() for target in found)})
        return JSONResponse(
            [{"code": code, "name": codes.name(code), "targets": targets.get(code, [])} for code in every]
        )

    async def translate_file(self, request: Request) -> Response:
        """Translate a document."""
        if not self.config.files:
            raise Refused(403, "Files translation are disabled on this server.")
        values = await self._let_in(request)
        file = values.get("file")
        if not isinstance(file, UploadFile):
            raise Refused(400, "Invalid request: missing file parameter")
        name = asked.whole(file.filename or "")
        kind = documents.suffix(name)
        source, target = asked.word(values, "source"), asked.word(values, "target")
        data = await file.read()
        self._spend(request, values, max(1, len(data) // self.config.char_limit))
        if source == "auto":
            source = str(self.service.source_of([data.decode("utf-8", "ignore")], target)["language"])
        pair = self.service.pair(source, target)
        ask = self.service.from_thread(pair, asyncio.get_running_loop())
        done = await self.documents.run(lambda: documents.translate(data, kind, ask))
        token = self.documents.keep(documents.safe_name(name, pair.main.target), done)
        return JSONResponse({"translatedFileUrl": str(request.url_for("download_file", filename=token))})

    async def download_file(self, filename: str) -> Response:
        """Fetch a translated document."""
        name, data = self.documents.find(filename)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def settings(self) -> Response:
        """Tell a page what it may ask."""
        pair = next(iter(self.service.pairs.values())).main
        return JSONResponse(
            {
                "charLimit": self.config.char_limit,
                "frontendTimeout": 500,
                "apiKeys": bool(self.keys),
                "keyRequired": bool(self.keys),
                "suggestions": False,
                "filesTranslation": self.config.files,
                "supportedFilesFormat": documents.suffixes() if self.config.files else [],
                "language": {
                    "source": {"code": pair.source, "name": codes.name(pair.source)},
                    "target": {"code": pair.target, "name": codes.name(pair.target)},
                },
            }
        )

    async def suggest(self, request: Request) -> Response:
        """Take a better translation: not here."""
        raise Refused(403, "Suggestions are disabled on this server.")

    async def models(self) -> Response:
        """List the models."""
        return JSONResponse([self._model(pair, known) for pair in self.service.pairs.values() for known in pair.models])

    def _model(self, pair: Pair, known: Known) -> dict[str, Any]:
        cascade = self.config.cascade is not None and known is pair.teacher
        return {
            "name": known.name,
            "source": known.source,
            "target": known.target,
            "kind": known.role,
            "bytes": known.bytes,
            "parameters": known.parameters,
            "scores": known.scores,
            "translates": known is pair.main,
            "cascade": cascade,
            "loaded": self.service.store.is_loaded(known),
            "report": f"/report?model={known.name}" if known.report else None,
        }

    async def compare(self, request: Request) -> Response:
        """Translate by every model of a pair, one after another so that their times can be compared."""
        values = await self._let_in(request)
        question = asked.question(values, self.config)
        source = self.service.source_of(question.texts, question.target) if question.source == "auto" else None
        pair = self.service.pair(str(source["language"]) if source else question.source, question.target)
        self._spend(request, values, len(question.texts) * len(pair.models))
        answers = []
        for known in pair.models:
            async with self.service.store.use(known):
                begun = time.perf_counter()
                said = await self.service.translate(question.texts, pair, model=known)
                seconds = time.perf_counter() - begun
            answers.append(
                {
                    "name": known.name,
                    "kind": known.role,
                    "bytes": known.bytes,
                    "milliseconds": round(1000 * seconds, 1),
                    **_answer(question, said, source, seconds),
                }
            )
        return JSONResponse(answers)

    async def health(self) -> Response:
        """Tell that the server is there."""
        return JSONResponse({"status": "ok"})

    async def metrics(self) -> Response:
        """Counters, for Prometheus."""
        self.service.metrics.waiting.set(self.service.store.waiting)
        return Response(self.service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _let_in(self, request: Request) -> asked.Values:
        """All that was sent, by somebody with a key where keys are asked for."""
        values = await asked.values(request, self.config.body_bytes)
        self.keys.check(_key(request, values))
        return values

    def _spend(self, request: Request, values: asked.Values, texts: int) -> None:
        client = _key(request, values) if self.keys else None
        self.rates.spend(client or (request.client.host if request.client else ""), texts)


def _key(request: Request, values: asked.Values) -> str | None:
    bearer = request.headers.get("authorization", "")
    found = values.get("api_key") or bearer.removeprefix("Bearer ").strip()
    return found if isinstance(found, str) else None


def _answer(
    question: asked.Question, said: list[Translated], source: dict[str, Any] | None, seconds: float
) -> dict[str, Any]:
    """What LibreTranslate would say; lists for a list."""

    def one_or_all(values: list[Any]) -> Any:
        return values if question.is_list else values[0]

    answer: dict[str, Any] = {"translatedText": one_or_all([one.text for one in said])}
    if source is not None:
        answer["detectedLanguage"] = one_or_all([source] * len(said))
    if question.alternatives:
        answer["alternatives"] = one_or_all([one.alternatives(question.alternatives) for one in said])
    if question.details:
        answer["details"] = one_or_all([_details(one) for one in said])
        answer["milliseconds"] = round(1000 * seconds, 1)
    return answer


def _details(one: Translated) -> list[dict[str, Any]]:
    return [
        {
            "source": said.source,
            "translation": said.hypotheses[0].text,
            "score": round(said.hypotheses[0].score, 4),
            "confidence": round(said.hypotheses[0].confidence, 4),
            "model": said.model,
        }
        for said in one.said
    ]


def make_app(service: Service, keys: Keys, rates: Rates) -> FastAPI:
    """The ASGI app, its door (`app.state.gate`) included.

    Args:
        service: the models.
        keys: who may ask.
        rates: how much.
    """
    api = Api(service, keys, rates)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(warm_up)
        yield
        api.documents.close()
        service.store.close()

    app = FastAPI(
        title="distilmt", version=__version__, docs_url=None, redoc_url=None, openapi_url="/spec", lifespan=lifespan
    )
    app.state.api = api
    operations = spec.operations(service.targets, service.config)
    for path, method, endpoint in _routes(api):
        kind = Response if path in _NO_JSON else JSONResponse
        app.add_api_route(path, endpoint, methods=[method], response_class=kind, openapi_extra=operations.get(path))
    add_pages(app, service, operations["/report"])
    app.add_exception_handler(Refused, _tell_refused)
    app.add_exception_handler(HTTPException, _tell_http)
    paths = frozenset(path for path, *_ in _routes(api))
    if service.config.cors:
        app.add_middleware(CORSMiddleware, allow_origins=[service.config.cors], allow_methods=["GET", "POST"])
    app.state.gate = Gate(app, service.metrics, paths, service.config.body_bytes)
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


async def _tell_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse({"error": error.message}, error.status, error.headers)


async def _tell_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)
