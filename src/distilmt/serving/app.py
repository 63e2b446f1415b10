"""The ASGI app: routes, error responses and middleware around the endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from distilmt import __version__
from distilmt.serving import spec
from distilmt.serving.audio_endpoints import AudioApi
from distilmt.serving.detection import warm_up
from distilmt.serving.endpoints import Api
from distilmt.serving.errors import ApiError, error_body
from distilmt.serving.file_endpoints import FileApi
from distilmt.serving.limits import ApiKeys, RateLimiter
from distilmt.serving.middleware import RequestLimitMiddleware
from distilmt.serving.service import Service
from distilmt.serving.static_pages import add_pages

_NO_JSON = ("/download_file/{filename}", "/metrics", "/v1/audio/translations", "/v1/audio/transcriptions")


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
    operations = spec.operations(service)
    routes = _routes(api)
    for path, method, endpoint in routes:
        kind = Response if path in _NO_JSON else JSONResponse
        app.add_api_route(path, endpoint, methods=[method], response_class=kind, openapi_extra=operations.get(path))
    add_pages(app, service, operations["/report"], api.authorize)
    app.add_exception_handler(ApiError, _handle_api_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    paths = frozenset(path for path, *_ in routes)
    if service.config.cors_origin:
        app.add_middleware(CORSMiddleware, allow_origins=[service.config.cors_origin], allow_methods=["GET", "POST"])
    app.state.middleware = RequestLimitMiddleware(app, service.metrics, paths, service.config.body_bytes)
    return app


def _routes(api: Api) -> list[tuple[str, str, Callable[..., Awaitable[Response]]]]:
    files, audio = FileApi(api), AudioApi(api)
    return [
        ("/translate", "POST", api.translate),
        ("/detect", "POST", api.detect),
        ("/languages", "GET", api.languages),
        ("/translate_file", "POST", files.translate_file),
        ("/translate_image", "POST", files.translate_image),
        ("/v1/audio/translations", "POST", audio.translations),
        ("/v1/audio/transcriptions", "POST", audio.transcriptions),
        ("/download_file/{filename}", "GET", files.download_file),
        ("/frontend/settings", "GET", api.settings),
        ("/suggest", "POST", api.suggest),
        ("/models", "GET", api.models),
        ("/compare", "POST", api.compare),
        ("/health", "GET", api.health),
        ("/healthz", "GET", api.health),
        ("/metrics", "GET", api.metrics),
    ]


async def _handle_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error_body(request.url.path, error.status, error.message), error.status, error.headers)


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = ["OPTIONS", *(error.headers or {}).get("Allow", "").split(", ")]
        if "GET" in allowed:
            allowed.append("HEAD")
        error.headers = {"Allow": ", ".join(filter(None, allowed))}
        if request.method == "OPTIONS":
            return Response(headers=error.headers)
    body = error_body(request.url.path, error.status_code, str(error.detail))
    return JSONResponse(body, error.status_code, error.headers)
