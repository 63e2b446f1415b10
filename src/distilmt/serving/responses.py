"""Bodies of the responses, in LibreTranslate's format and with distilmt's extensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from distilmt.serving import language_codes
from distilmt.serving.catalog import ModelInfo, PairModels
from distilmt.serving.detection import Candidate
from distilmt.serving.language_pairs import LanguagePairs
from distilmt.serving.picture_job import PictureResult
from distilmt.serving.schemas import TranslateRequest
from distilmt.serving.service import TextTranslation

if TYPE_CHECKING:
    from distilmt.pictures.translate import PageRecord


class SentenceDetails(TypedDict):
    """A sentence with its score; an extension of distilmt."""

    source: str
    translation: str
    score: float
    """Mean log-probability per token, at most 0."""
    confidence: float
    """Geometric mean of the token probabilities, 0 to 1."""
    model: str


class TranslateResponse(TypedDict, total=False):
    """Response of `/translate`; the values are lists if the request has a list of texts."""

    translatedText: str | list[str]
    detectedLanguage: Candidate | list[Candidate | None] | None
    alternatives: list[str] | list[list[str]]
    details: list[SentenceDetails] | list[list[SentenceDetails]]
    milliseconds: float


class ComparedTranslation(TranslateResponse, total=False):
    """A model's entry in the response of `/compare`."""

    name: str
    kind: str
    bytes: int


class TranslateImageResponse(TypedDict):
    """Response of `/translate_image`."""

    pages: list[PageRecord]
    """Size in pixels, and paragraphs with translation, box and lines."""
    translatedText: str
    """All translations: a paragraph a line, an empty line between pages."""
    milliseconds: float


def translate_image_response(result: PictureResult, seconds: float) -> TranslateImageResponse:
    """A translated picture or PDF."""
    text = "\n".join(page for page in result.texts if page)
    return {"pages": result.pages, "translatedText": text, "milliseconds": round(1000 * seconds, 1)}


class ModelDescription(TypedDict):
    """A model in the response of `/models`."""

    name: str
    source: str
    target: str
    kind: str
    bytes: int
    parameters: int | None
    input: str
    """What it reads: `text`, `image` or `speech`."""
    scores: dict[str, float]
    translates: bool
    """Whether it translates unless another model is needed."""
    cascade: bool
    """Whether it translates what the main model is not certain of."""
    loaded: bool
    report: str | None
    """URL of its run's report."""


class LanguageDescription(TypedDict, total=False):
    """A language in the response of `/languages`."""

    code: str
    name: str
    targets: list[str]
    """Languages that texts are translated into."""
    imageTargets: list[str]
    """Languages that pictures are translated into; only where a model reads pictures."""
    audioTargets: list[str]
    """Languages that speech is translated into; only where a model reads speech."""


def described_languages(
    text: LanguagePairs, pictures: LanguagePairs, speech: LanguagePairs
) -> list[LanguageDescription]:
    """All languages, sorted by code."""
    descriptions: list[LanguageDescription] = []
    for code in sorted(text.languages | pictures.languages | speech.languages):
        name = language_codes.name(code)
        descriptions.append({"code": code, "name": name, "targets": text.targets.get(code, [])})
        if pictures:
            descriptions[-1]["imageTargets"] = pictures.targets.get(code, [])
        if speech:
            descriptions[-1]["audioTargets"] = speech.targets.get(code, [])
    return descriptions


def described_model(model: ModelInfo, pair: PairModels, cascade: bool, loaded: bool) -> ModelDescription:
    """A model for `/models`; `cascade`: the server uses the teacher for uncertain sentences."""
    return {
        "name": model.name,
        "source": model.source,
        "target": model.target,
        "kind": model.role,
        "bytes": model.bytes,
        "parameters": model.parameters,
        "input": model.input,
        "scores": model.scores,
        "translates": model is pair.main,
        "cascade": cascade and model is pair.teacher,
        "loaded": loaded,
        "report": f"/report?model={model.name}" if model.report else None,
    }


def translate_response(
    request: TranslateRequest,
    translations: Sequence[TextTranslation],
    detected: Sequence[Candidate | None],
    seconds: float,
) -> TranslateResponse:
    """Response in LibreTranslate's format; lists if the request has a list of texts."""

    texts, languages = [one.text for one in translations], list(detected)
    response: TranslateResponse = {"translatedText": texts if request.is_list else texts[0]}
    if request.source == "auto":
        response["detectedLanguage"] = languages if request.is_list else languages[0]
    if request.alternatives:
        alternatives = [one.alternatives(request.alternatives) for one in translations]
        response["alternatives"] = alternatives if request.is_list else alternatives[0]
    if request.details:
        details = [_details(one) for one in translations]
        response["details"] = details if request.is_list else details[0]
        response["milliseconds"] = round(1000 * seconds, 1)
    return response


def _details(one: TextTranslation) -> list[SentenceDetails]:
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
