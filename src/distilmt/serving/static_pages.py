"""The web page and the reports of runs, with a strict Content-Security-Policy; only files known at start are served."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.staticfiles import PathLike
from starlette.types import Scope

import distilmt
from distilmt.serving.errors import ApiError
from distilmt.serving.service import Service
from distilmt.utils.json_types import JsonObject

WEB = Path(distilmt.__file__).parent / "web"
PAGE = WEB / "server" / "index.html"
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "connect-src 'self'; frame-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# A report is one file without scripts, with an inline style sheet.
_REPORT = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)


class _Static(StaticFiles):
    """Files of the page, with its policy."""

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Content-Security-Policy"] = _PAGE
        return response


def add_pages(
    app: FastAPI, service: Service, report_operation: JsonObject, authorize: Callable[[Request], None]
) -> None:
    """Serve `/` and `/static/…`, and for authorized clients `/report`, described by `report_operation`."""
    reports = {
        model_info.name: model_info.report
        for pair in service.all_pairs
        for model_info in pair.models
        if model_info.report
    }

    async def report(request: Request, model: str = "") -> Response:
        """Show the report of a model's run; without a model, of the first that has one."""
        authorize(request)
        path = reports.get(model) if model else next(iter(reports.values()), None)
        if path is None or not path.exists():
            raise ApiError(404, "There is no report: serve a run directory that has one")
        headers = {"Content-Security-Policy": _REPORT}
        return FileResponse(path, media_type="text/html", headers=headers)

    app.add_api_route("/report", report, methods=["GET"], response_class=Response, openapi_extra=report_operation)
    if not service.config.ui or not PAGE.exists():
        return

    async def index() -> Response:
        return FileResponse(PAGE, media_type="text/html", headers={"Content-Security-Policy": _PAGE})

    app.add_api_route("/", index, methods=["GET"], include_in_schema=False)
    app.mount("/static", _Static(directory=WEB), name="static")
