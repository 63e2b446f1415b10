"""Translation service: language identification, sentence splitting, batching, and a cascade to the teacher."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from distilmt.config.commands import ServeConfig
from distilmt.inference.base import Hypothesis
from distilmt.serving import language_codes, picture_job, recording_job
from distilmt.serving.batcher import BatchLimits
from distilmt.serving.catalog import ModelInfo, PairModels, served_models
from distilmt.serving.detection import Candidate, identify, unidentified
from distilmt.serving.errors import ApiError
from distilmt.serving.language_pairs import LanguagePairs
from distilmt.serving.metrics import Metrics
from distilmt.serving.model_pool import ModelPool, Utterance
from distilmt.serving.segmentation import Layout, join_sentences, split_sentences
from distilmt.utils.errors import UserError

_ONLY_PICTURES = "This server has only models that read pictures: send a picture to /translate_image"
_ONLY_SPEECH = "This server has only models that read speech: send a recording to /v1/audio/translations"
_NO_TEXT = "This server has no model that reads text: send a picture or a recording"
_NO_PICTURES = "This server has no model that reads pictures: send text to /translate"
_NO_SPEECH = "This server has no model that reads speech: send text to /translate"


@dataclass
class SentenceTranslation:
    """The translation of a sentence."""

    source: str
    hypotheses: list[Hypothesis]
    """Best first; at least one."""
    model: str
    """Name of the model."""

    def nth(self, index: int) -> str:
        """The text of a hypothesis; the last one if there are fewer."""
        return self.hypotheses[min(index, len(self.hypotheses) - 1)].text


@dataclass(frozen=True)
class Route:
    """The models that translate a text."""

    pair: PairModels | None
    """None: the text is not translated."""
    detected: Candidate | None = None
    """The detected language, for `source: auto`."""


@dataclass
class TextTranslation:
    """The translation of a text."""

    layout: Layout
    sentences: list[SentenceTranslation] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The best translation."""
        return self.nth(0)

    def nth(self, index: int) -> str:
        """The text of the n-th hypothesis of each sentence."""
        return join_sentences(self.layout, [sentence.nth(index) for sentence in self.sentences])

    def alternatives(self, count: int) -> list[str]:
        """Distinct translations other than the best one."""
        others = dict.fromkeys(self.nth(index) for index in range(1, count + 1)) if self.sentences else {}
        return [text for text in others if text and text != self.text]


class Service:
    """All models of a server. Methods are called on the event loop."""

    def __init__(self, config: ServeConfig, threads: int) -> None:
        """Find the models; none is loaded yet.

        Args:
            config: the options of the command line.
            threads: number of batches translated at the same time.

        Raises:
            UserError: a model cannot be served.
        """
        self.config, self.metrics = config, Metrics()
        served = served_models(config.models, config.system)
        without_text = {(True, False): _ONLY_PICTURES, (False, True): _ONLY_SPEECH}
        is_served = (bool(served.pictures), bool(served.speech))
        self.text = LanguagePairs(served.text, without_text.get(is_served, _NO_TEXT))
        """Models that read text."""
        self.pictures = LanguagePairs(served.pictures, _NO_PICTURES)
        """Models that read pictures."""
        self.speech = LanguagePairs(served.speech, _NO_SPEECH)
        """Models that read speech."""
        if self.pictures:
            picture_job.check_packages()
        if self.speech:
            recording_job.check_packages()
        self.all_pairs = served.all_pairs
        limits = BatchLimits(threads, config.batch_timeout_ms / 1000, config.batch_tokens, config.max_queue_size)
        self.model_pool = ModelPool(config.memory_bytes, limits, config.beam_size, self.metrics, self._glossaries())
        for pair in self.all_pairs:
            for model in pair.models:
                self.model_pool.check(model)
        self._check_cascade()

    def _check_cascade(self) -> None:
        if self.config.cascade_threshold is None:
            return
        if not any(pair.teacher for pair in self.text.by_languages.values()):
            raise UserError("--cascade_threshold needs a teacher: give a run directory with an exported teacher")

    def _glossaries(self) -> dict[tuple[str, str], dict[str, str]]:
        """Glossary terms by language pair; a file without languages belongs to the only pair."""
        terms: dict[tuple[str, str], dict[str, str]] = {}
        pairs = self.text.by_languages
        if self.config.glossary and not pairs:
            raise UserError("--glossary is for models that read text, and none is served: leave it out")
        for argument in self.config.glossary:
            languages, sign, name = argument.partition("=")
            named = sign and not Path(argument).exists()
            language_pair = (
                tuple(language_codes.normalize_code(code) for code in languages.split("-", 1)) if named else ()
            )
            if not language_pair and len(pairs) == 1:
                language_pair, name = next(iter(pairs)), argument
            if len(language_pair) != 2 or (language_pair[0], language_pair[1]) not in pairs:
                available_pairs = ", ".join("-".join(pair) for pair in sorted(pairs))
                raise UserError(
                    f"--glossary {argument}: write the language pair before it (en-it=FILE), one of {available_pairs}"
                )
            from distilmt.documents import glossary

            terms.setdefault((language_pair[0], language_pair[1]), {}).update(glossary.read_glossary(Path(name)))
        return terms

    def identify(self, text: str, target: str | None = None) -> list[Candidate]:
        """The most likely languages of a text; none for a text without letters.

        Args:
            text: plain text.
            target: a served language; of similarly likely languages, one with this target is preferred.
        """
        return identify(text, self.text.languages, self.text.sources(target))

    def route(self, text: str, source: str, target: str, is_only_text: bool = True) -> Route:
        """The models that translate a text.

        Args:
            text: plain text.
            source: a code, or `auto`.
            target: a code.
            is_only_text: if False, a text in a language that is not served is left unchanged and raises no error.

        Raises:
            ApiError: as `LanguagePairs.pair`; or the text is in a language that is not served (400).
        """
        if source != "auto":
            return Route(self.text.pair(source, target))
        target_code = self.text.language(target)
        candidates = self.identify(text, target_code)
        if not candidates:
            return Route(None, unidentified(self.text.languages))
        detected = str(candidates[0]["language"])
        if detected in self.text.languages:
            return Route(self.text.pair(detected, target_code), candidates[0])
        if is_only_text:
            raise ApiError(400, f"{language_codes.name(detected)} ({detected}) is not supported")
        return Route(None, candidates[0])

    async def translate(
        self, texts: Sequence[str], pair: PairModels, alternatives: int = 0, model: ModelInfo | None = None
    ) -> list[TextTranslation]:
        """Translate texts; in a cascade, the teacher translates sentences with a low score again.

        Args:
            texts: any number of lines each.
            pair: their models.
            alternatives: number of hypotheses besides the best.
            model: only this model, instead of the pair's.

        Raises:
            ApiError: the queue is full, or the deadline is over (503).
        """
        deadline = time.monotonic() + self.config.timeout
        async with self.model_pool.use(model or pair.main) as loaded:
            split_texts = [split_sentences(text, loaded.translator.portions) for text in texts]
            sentences = [sentence for entries, _ in split_texts for sentence in entries]
            hypotheses = await loaded.batcher.submit(sentences, alternatives + 1, deadline)
            self.metrics.sentences.labels(loaded.model.role).inc(len(sentences))
        name = (model or pair.main).name
        translations = [
            SentenceTranslation(text, entries or [Hypothesis("", [], 0.0)], name)
            for text, entries in zip(sentences, hypotheses, strict=True)
        ]
        if self.config.cascade_threshold is not None and model is None and pair.teacher:
            await self._retranslate_with_teacher(translations, pair.teacher, alternatives, deadline)
        self.metrics.characters.labels(pair.main.source, pair.main.target).inc(sum(map(len, texts)))
        return _group_by_text(split_texts, translations)

    async def translate_lines(self, lines: Sequence[np.ndarray], model: ModelInfo) -> list[str]:
        """Translate pictures of lines, [columns, height] uint8 each; an empty picture gives an empty text.

        Raises:
            ApiError: the queue is full, or the deadline is over (503).
        """
        deadline = time.monotonic() + self.config.timeout
        async with self.model_pool.use_for_pictures(model) as loaded:
            hypotheses = await loaded.batcher.submit(lines, 1, deadline)
            self.metrics.sentences.labels(model.role).inc(len(lines))
        return [entries[0].text if entries else "" for entries in hypotheses]

    async def translate_utterances(self, utterances: Sequence[np.ndarray], model: ModelInfo) -> list[Hypothesis]:
        """The best translation of utterances, [samples] float32 each; its text is empty where there is no speech.

        Raises:
            ApiError: the queue is full, or the deadline is over (503).
        """
        deadline = time.monotonic() + self.config.timeout
        async with self.model_pool.use_for_speech(model) as loaded:
            hypotheses = await loaded.batcher.submit([Utterance(each) for each in utterances], 1, deadline)
            self.metrics.sentences.labels(model.role).inc(len(utterances))
        return [entries[0] if entries else Hypothesis("", [], 0.0) for entries in hypotheses]

    async def _retranslate_with_teacher(
        self, translations: list[SentenceTranslation], teacher: ModelInfo, alternatives: int, deadline: float
    ) -> None:
        """Replace translations with a score below the threshold."""
        threshold = self.config.cascade_threshold or 0.0
        unsure = [one for one in translations if one.hypotheses[0].score < threshold]
        if not unsure:
            return
        async with self.model_pool.use(teacher) as loaded:
            texts = [one.source for one in unsure]
            portions = [loaded.translator.portions(text) for text in texts]
            # The student's translation remains if a sentence is too long for the teacher.
            unsure = [one for one, parts in zip(unsure, portions, strict=True) if len(parts) == 1]
            teacher_hypotheses = await loaded.batcher.submit([one.source for one in unsure], alternatives + 1, deadline)
        self.metrics.sentences.labels("teacher").inc(len(unsure))
        for one, hypotheses in zip(unsure, teacher_hypotheses, strict=True):
            if hypotheses:
                one.hypotheses, one.model = hypotheses, teacher.name


def _group_by_text(
    split_texts: list[tuple[list[str], Layout]], translations: list[SentenceTranslation]
) -> list[TextTranslation]:
    texts, position = [], 0
    for sentences, layout in split_texts:
        texts.append(TextTranslation(layout, translations[position : position + len(sentences)]))
        position += len(sentences)
    return texts
