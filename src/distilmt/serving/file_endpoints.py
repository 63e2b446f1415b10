"""The endpoints that take files: documents, pictures and recordings."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import PurePosixPath
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile

from distilmt.audio.decoding import SUFFIXES as AUDIO_SUFFIXES
from distilmt.pictures.reading import SUFFIXES as PICTURE_SUFFIXES
from distilmt.recordings.subtitles import srt
from distilmt.serving import documents, schemas
from distilmt.serving.document_model import DocumentModel
from distilmt.serving.document_process import DocumentJob, document_of
from distilmt.serving.endpoints import Api
from distilmt.serving.errors import ApiError
from distilmt.serving.picture_job import NO_TEXT, PictureResult
from distilmt.serving.picture_model import PictureModel
from distilmt.serving.recording_job import NO_SPEECH
from distilmt.serving.recording_model import RecordingModel
from distilmt.serving.responses import translate_image_response
from distilmt.utils.texts import replace_surrogates


class FileApi:
    """The endpoints that take files."""

    def __init__(self, api: Api) -> None:
        """Share models, keys, limits and documents with the other endpoints."""
        self.api, self.service, self.config, self.documents = api, api.service, api.config, api.documents

    async def translate_file(self, request: Request) -> Response:
        """Translate a document, a picture or a recording."""
        if not self.config.documents:
            raise ApiError(403, "Files translation are disabled on this server.")
        values = await self.api.authorized_parameters(request)
        file = values.get("file")
        if not isinstance(file, UploadFile):
            raise ApiError(400, "Invalid request: missing file parameter")
        name = replace_surrogates(file.filename or "")
        kind = documents.suffix(name, self.api.file_suffixes())
        source, target = schemas.short_text(values, "source"), schemas.short_text(values, "target")
        data = await file.read()
        if kind in PICTURE_SUFFIXES:
            self.api.consume_rate(request, values, media_cost(data))
            return await self._picture_file(request, name, data, source, target)
        if kind in AUDIO_SUFFIXES:
            self.api.consume_rate(request, values, media_cost(data))
            return await self._subtitle_file(request, name, data, source, target)
        self.api.consume_rate(request, values, max(1, len(data) // self.config.char_limit))
        job, begun = DocumentJob(kind, data, schemas.patterns(values)), time.monotonic()
        text = await self.documents.sample(job, begun) if source == "auto" else ""
        route = await asyncio.to_thread(self.service.route, text, source, target)
        translated = document_of(await self.documents.run(job, DocumentModel(self.service, route.pair), begun))
        return self._link(request, documents.safe_name(name, self.service.text.language(target)), translated)

    async def _picture_file(self, request: Request, name: str, data: bytes, source: str, target: str) -> Response:
        """The picture with the translation laid over it."""
        result = await self._translate_picture(data, source, target, is_laid_over=True)
        if not result.content:
            raise ApiError(400, f"Invalid request: {NO_TEXT}")
        own_name = f"{PurePosixPath(name).stem}{result.suffix}"
        saved = documents.safe_name(own_name, self.service.pictures.language(target))
        return self._link(request, saved, result.content)

    async def _subtitle_file(self, request: Request, name: str, data: bytes, source: str, target: str) -> Response:
        """Subtitles of a recording."""
        model = RecordingModel(self.service, self.service.speech.detectionless_pair(source, target, "a recording").main)
        result = await self.documents.run_recording(await model.job(data), model.translate)
        if not result.segments:
            raise ApiError(400, f"Invalid request: {NO_SPEECH}")
        saved = documents.safe_name(f"{PurePosixPath(name).stem}.srt", self.service.speech.language(target))
        return self._link(request, saved, "".join(srt(result.segments)).encode())

    def _link(self, request: Request, name: str, data: bytes) -> Response:
        token = self.documents.keep(name, data)
        return JSONResponse({"translatedFileUrl": self._base_url(request) + f"/download_file/{quote(token)}"})

    async def translate_image(self, request: Request) -> Response:
        """Translate a picture or PDF: its paragraphs with their places."""
        values, content = await schemas.read_picture_parameters(request, self.config.body_bytes)
        self.api.check_key(request, values)
        source, target = schemas.short_text(values, "source"), schemas.short_text(values, "target")
        self.api.consume_rate(request, values, media_cost(content))
        begun = time.perf_counter()
        result = await self._translate_picture(content, source, target, is_laid_over=False)
        return JSONResponse(translate_image_response(result, time.perf_counter() - begun))

    async def _translate_picture(self, content: bytes, source: str, target: str, is_laid_over: bool) -> PictureResult:
        model = PictureModel(self.service, self.service.pictures.detectionless_pair(source, target, "a picture"))
        return await self.documents.run_picture(await model.job(content, is_laid_over), model.translate)

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


_BYTES_PER_TEXT = 100_000


def media_cost(content: bytes) -> int:
    """How many texts a picture or recording counts as, where texts of a client are limited."""
    return max(1, len(content) // _BYTES_PER_TEXT)


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
