"""The HTTP interface: LibreTranslate's, and what distilmt has besides."""

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
from distilmt.documents.keep_patterns import Keep
from distilmt.serving import documents, language_codes, schemas, spec
from distilmt.serving.catalog import Known, Pair
from distilmt.serving.detection import Candidate, text_of_markup, unidentified, warm_up
from distilmt.serving.document_model import DocumentModel
from distilmt.serving.document_process import Job
from distilmt.serving.documents import Documents
from distilmt.serving.errors import Refused
from distilmt.serving.limits import Keys, Rates
from distilmt.serving.middleware import Gate
from distilmt.serving.service import Route, Service, Translated
from distilmt.serving.static_pages import add_pages

_NO_JSON = ("/download_file/{filename}", "/metrics")


class Api:
    """The endpoints. One object a server, so that they share models, keys and limits."""

    def __init__(self, service: Service, keys: Keys, rates: Rates) -> None:
        """Answer with `service` whom `keys` and `rates` let in."""
        self.service, self.keys, self.rates = service, keys, rates
        self.documents = Documents(service.config.document_seconds, keep=Keep.of(service.config.keep))
        self.config = service.config

    async def translate(self, request: Request) -> Response:
        """Translate a text, or several."""
        values = await self._let_in(request)
        question = schemas.question(values, self.config)
        self._spend(request, values, len(question.texts))
        begun = time.perf_counter()
        routes = await self._routes(question)
        said = [Translated([(text, 0, "")]) for text in question.texts]
        for pair in {id(route.pair): route.pair for route in routes if route.pair}.values():
            rows = [row for row, route in enumerate(routes) if route.pair is pair]
            translated = await self._said(question, [question.texts[row] for row in rows], pair)
            for row, one in zip(rows, translated, strict=True):
                said[row] = one
        detected = [route.detected for route in routes]
        return JSONResponse(_answer(question, said, detected, time.perf_counter() - begun))

    async def _routes(self, question: schemas.Question) -> list[Route]:
        """The models for each text; every text's language is detected by itself."""

        def route(text: str) -> Route:
            read = text_of_markup(text) if question.html else text
            return self.service.route(read, question.source, question.target, alone=len(question.texts) == 1)

        if question.source != "auto":
            return [route("")] * len(question.texts)
        return await asyncio.to_thread(lambda: [route(text) for text in question.texts])

    async def _said(self, question: schemas.Question, texts: list[str], pair: Pair) -> list[Translated]:
        rows = [row for row, text in enumerate(texts) if question.is_formatted or self.documents.protects(text)]
        plain = [text for row, text in enumerate(texts) if row not in set(rows)]
        said = iter(await self.service.translate(plain, pair, question.alternatives))
        formatted = {row: await self._formatted(question, texts[row], pair) for row in rows}
        return [formatted[row] if row in formatted else next(said) for row in range(len(texts))]

    async def _formatted(self, question: schemas.Question, text: str, pair: Pair) -> Translated:
        """A text with markup, placeholders, code or else what is kept; it has no alternatives."""
        model = DocumentModel(self.service, pair)
        if question.is_formatted:  # patterns of clients may take long too
            kind = "html" if question.html else "text"
            (page,) = await self.documents.run(Job(kind, [text], question.keep), model)
        else:
            page = await self.documents.run_text(text, model)
        return Translated([(page, 0, "")], model.said)

    async def detect(self, request: Request) -> Response:
        """Tell the language of a text."""
        values = await self._let_in(request)
        texts = schemas.texts(values, self.config)
        self._spend(request, values, len(texts))
        candidates = await asyncio.to_thread(self.service.identify, " ".join(texts))
        return JSONResponse(candidates or [unidentified(self.service.languages)])

    async def languages(self) -> Response:
        """List the languages."""
        targets = self.service.targets
        every = sorted({*targets, *(target for found in targets.values() for target in found)})
        return JSONResponse(
            [{"code": code, "name": language_codes.name(code), "targets": targets.get(code, [])} for code in every]
        )

    async def translate_file(self, request: Request) -> Response:
        """Translate a document."""
        if not self.config.files:
            raise Refused(403, "Files translation are disabled on this server.")
        values = await self._let_in(request)
        file = values.get("file")
        if not isinstance(file, UploadFile):
            raise Refused(400, "Invalid request: missing file parameter")
        name = schemas.whole(file.filename or "")
        kind = documents.suffix(name)
        source, target = schemas.word(values, "source"), schemas.word(values, "target")
        data = await file.read()
        self._spend(request, values, max(1, len(data) // self.config.char_limit))
        job, begun = Job(kind, data, schemas.patterns(values)), time.monotonic()
        text = await self.documents.sample(job, begun) if source == "auto" else ""
        route = await asyncio.to_thread(self.service.route, text, source, target)
        done = await self.documents.run(job, DocumentModel(self.service, route.pair), begun)
        token = self.documents.keep(documents.safe_name(name, self.service.language(target)), done)
        return JSONResponse({"translatedFileUrl": self._base(request) + f"/download_file/{quote(token)}"})

    def _base(self, request: Request) -> str:
        """What goes before a path so that the client finds it: nothing where it came by a name that is not known here.

        A Host header may hold anything, so that only this machine's names and addresses are given back to clients.
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
                    "source": {"code": pair.source, "name": language_codes.name(pair.source)},
                    "target": {"code": pair.target, "name": language_codes.name(pair.target)},
                },
            }
        )

    async def suggest(self, request: Request) -> Response:
        """Take a better translation: not here."""
        raise Refused(403, "Suggestions are disabled on this server.")

    async def models(self, request: Request) -> Response:
        """List the models."""
        self.let_in(request)
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
        question = schemas.question(values, self.config)
        route = await asyncio.to_thread(self.service.route, " ".join(question.texts), question.source, question.target)
        pair = route.pair
        if pair is None:
            raise Refused(400, f"Invalid request: the text is to be in another language than {question.target}")
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
                    **_answer(question, said, [route.detected] * len(said), seconds),
                }
            )
        return JSONResponse(answers)

    async def health(self) -> Response:
        """Tell that the server is there."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """Counters, for Prometheus."""
        self.let_in(request)
        self.service.metrics.waiting.set(self.service.store.waiting)
        return Response(self.service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def let_in(self, request: Request) -> None:
        """Refuse who has no key where keys are asked for, of a request without a body."""
        self.keys.check(_key(request, request.query_params))

    async def _let_in(self, request: Request) -> schemas.Values:
        """All that was sent, by somebody with a key where keys are asked for."""
        values = await schemas.values(request, self.config.body_bytes)
        self.keys.check(_key(request, values))
        return values

    def _spend(self, request: Request, values: schemas.Values, texts: int) -> None:
        client = _key(request, values) if self.keys else None
        self.rates.spend(client or (request.client.host if request.client else ""), texts)


def _key(request: Request, values: schemas.Values) -> str | None:
    bearer = request.headers.get("authorization", "")
    found = values.get("api_key") or bearer.removeprefix("Bearer ").strip()
    return found if isinstance(found, str) else None


def _host(request: Request) -> str | None:
    """The host that a request names, without its port; None where it names none that could be."""
    try:
        return (
            request.url.hostname
            if re.fullmatch(r"(\[[\d:a-fA-F.]+\]|[\w.-]+)(:\d{1,5})?", request.headers.get("host", ""))
            else None
        )
    except ValueError:
        return None


def _answer(
    question: schemas.Question, said: list[Translated], detected: Sequence[Candidate | None], seconds: float
) -> dict[str, Any]:
    """What LibreTranslate would say; lists for a list."""

    def one_or_all(values: list[Any]) -> Any:
        return values if question.is_list else values[0]

    answer: dict[str, Any] = {"translatedText": one_or_all([one.text for one in said])}
    if question.source == "auto":
        answer["detectedLanguage"] = one_or_all(list(detected))
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
    add_pages(app, service, operations["/report"], api.let_in)
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


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ["OPTIONS", *(error.headers or {}).get("Allow", "").split(", ")]
        allowed += ["HEAD"] * ("GET" in allowed)
        error.headers = {"Allow": ", ".join(filter(None, allowed))}
        if request.method == "OPTIONS":
            return Response(headers=error.headers)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)
