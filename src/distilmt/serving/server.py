"""The server process: uvicorn on one event loop, with a graceful shutdown."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from distilmt.config.commands import ServeConfig
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.hardware import cores

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger(__name__)


def build(config: ServeConfig) -> FastAPI:
    """The app of a configuration; no model is loaded yet.

    Raises:
        UserError: a model cannot be served, or a package is missing.
    """
    try:
        from distilmt.serving.app import make_app
        from distilmt.serving.limits import ApiKeys, RateLimiter
        from distilmt.serving.service import Service
    except ImportError as error:
        raise UserError(f"serve needs {error.name}: {install_command('serve')}") from None
    service = Service(config, min(config.threads or cores(), os.cpu_count() or 1))
    return make_app(service, ApiKeys(config.api_keys), RateLimiter(config.req_limit))


def run(config: ServeConfig) -> None:
    """Serve until SIGTERM or SIGINT; accepted requests are completed.

    Raises:
        UserError: as `build`; or the server cannot listen on the address.
    """
    app = build(config)
    from distilmt.serving.uvicorn_protocol import listen_socket, serve

    listener = listen_socket(config.host, config.port)
    host, port = listener.getsockname()[:2]
    service = app.state.api.service
    pairs = ["-".join(pair) for pair in service.text.by_languages]
    pairs += [f"{'-'.join(pair)} (pictures)" for pair in service.pictures.by_languages]
    pairs += [f"{'-'.join(pair)} (speech)" for pair in service.speech.by_languages]
    logger.info(f"serving {', '.join(pairs)} on http://{host}:{port}")
    serve(app, config, listener)
