"""OpenAI's audio endpoints: translations and transcriptions of recordings."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from distilmt.serving import language_codes, schemas
from distilmt.serving.audio_responses import FORMATS, Task, audio_response
from distilmt.serving.catalog import ModelInfo, PairModels
from distilmt.serving.endpoints import Api
from distilmt.serving.errors import ApiError
from distilmt.serving.file_endpoints import media_cost
from distilmt.serving.recording_model import RecordingModel


class AudioApi:
    """The endpoints of recordings, for OpenAI's clients."""

    def __init__(self, api: Api) -> None:
        """Share models, keys, limits and processes with the other endpoints."""
        self.api, self.service = api, api.service

    async def translations(self, request: Request) -> Response:
        """Translate a recording into the language of the model."""
        return await self._respond(request, "translate")

    async def transcriptions(self, request: Request) -> Response:
        """Transcribe a recording, with a model whose source and target are one language."""
        return await self._respond(request, "transcribe")

    async def _respond(self, request: Request, task: Task) -> Response:
        values = await self.api.authorized_parameters(request)
        form = schemas.short_text(values, "response_format") if values.get("response_format") else "json"
        if form not in FORMATS:
            raise ApiError(400, f"Invalid request: response_format {form} is not supported: use {', '.join(FORMATS)}")
        info = self._model(values, task)
        file = values.get("file")
        content = await file.read() if isinstance(file, UploadFile) else b""
        if not content:
            raise ApiError(400, "Invalid request: missing file parameter")
        self.api.consume_rate(request, values, media_cost(content))
        model = RecordingModel(self.service, info)
        result = await self.api.documents.run_recording(await model.job(content), model.translate)
        return audio_response(form, result, model.hypotheses, info.target, task)

    def _model(self, values: schemas.Parameters, task: Task) -> ModelInfo:
        """The model that is named, or the only one of the languages; names of others, such as whisper-1, name none.

        Raises:
            ApiError: there is none, or there are several (400).
        """
        pairs = [
            pair
            for (source, target), pair in self.service.speech.by_languages.items()
            if (source == target) == (task == "transcribe")
        ]
        if not pairs:
            raise ApiError(400, self._why_none(task))
        name = values.get("model")
        if named := [model for pair in pairs for model in pair.models if model.name == name]:
            return named[0]
        chosen = [pair for pair in pairs if _has_languages(pair, values)]
        if len(chosen) != 1:
            names = ", ".join(pair.main.name for pair in pairs)
            raise ApiError(400, f"Invalid request: set the model parameter to one of {names}")
        return chosen[0].main

    def _why_none(self, task: Task) -> str:
        if not self.service.speech:
            return self.service.speech.without
        if task == "transcribe":
            return "This server's models translate speech and do not transcribe it: use /v1/audio/translations"
        return "This server's models transcribe speech and do not translate it: use /v1/audio/transcriptions"


def _has_languages(pair: PairModels, values: schemas.Parameters) -> bool:
    """Whether a pair has the languages of a request, if it names any."""
    requested = {
        pair.main.source: values.get("source") or values.get("language"),
        pair.main.target: values.get("target"),
    }
    return all(
        language_codes.closest(code[:64], [served]) == served
        for served, code in requested.items()
        if isinstance(code, str) and code not in ("", "auto")
    )
