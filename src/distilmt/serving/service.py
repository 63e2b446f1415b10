"""Translation service: language identification, sentence splitting, batching, and a cascade to the teacher."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distilmt.config.commands import ServeConfig
from distilmt.inference.base import Hypothesis
from distilmt.serving import language_codes
from distilmt.serving.batcher import BatchLimits
from distilmt.serving.catalog import ModelInfo, PairModels, models_by_pair
from distilmt.serving.detection import Candidate, identify, unidentified
from distilmt.serving.errors import ApiError
from distilmt.serving.metrics import Metrics
from distilmt.serving.model_pool import ModelPool
from distilmt.serving.segmentation import Layout, join_sentences, split_sentences
from distilmt.utils.errors import UserError


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
        self.pairs = models_by_pair(config.models, config.system)
        self.targets: dict[str, list[str]] = {}
        for source, target in sorted(self.pairs):
            self.targets.setdefault(source, []).append(target)
        limits = BatchLimits(threads, config.batch_timeout_ms / 1000, config.batch_tokens, config.max_queue_size)
        self.model_pool = ModelPool(config.memory_bytes, limits, config.beam_size, self.metrics, self._glossaries())
        for pair in self.pairs.values():
            for model in pair.models:
                self.model_pool.check(model)
        self._check_cascade()

    def _check_cascade(self) -> None:
        if self.config.cascade_threshold is None:
            return
        if not any(pair.teacher for pair in self.pairs.values()):
            raise UserError("--cascade_threshold needs a teacher: give a run directory with an exported teacher")

    def _glossaries(self) -> dict[tuple[str, str], dict[str, str]]:
        """Glossary terms by language pair; a file without languages belongs to the only pair."""
        terms: dict[tuple[str, str], dict[str, str]] = {}
        for argument in self.config.glossary:
            languages, sign, name = argument.partition("=")
            named = sign and not Path(argument).exists()
            language_pair = (
                tuple(language_codes.normalize_code(code) for code in languages.split("-", 1)) if named else ()
            )
            if not language_pair and len(self.pairs) == 1:
                language_pair, name = next(iter(self.pairs)), argument
            if len(language_pair) != 2 or (language_pair[0], language_pair[1]) not in self.pairs:
                available_pairs = ", ".join("-".join(pair) for pair in sorted(self.pairs))
                raise UserError(
                    f"--glossary {argument}: write the language pair before it (en-it=FILE), one of {available_pairs}"
                )
            from distilmt.documents import glossary

            terms.setdefault((language_pair[0], language_pair[1]), {}).update(glossary.read_glossary(Path(name)))
        return terms

    @property
    def languages(self) -> set[str]:
        """All source and target languages."""
        return {code for pair in self.pairs for code in pair}

    def language(self, code: str) -> str:
        """The served language of a code.

        Raises:
            ApiError: the language is not served (400).
        """
        served_code = language_codes.closest(code, self.languages)
        if served_code is None:
            raise ApiError(400, f"{code} is not supported")
        return served_code

    def pair(self, source: str, target: str) -> PairModels | None:
        """The models of a language pair; None if both are the same language.

        Raises:
            ApiError: a language or the pair is not served (400).
        """
        pair = self.pairs.get((self.language(source), self.language(target)))
        if pair is None and self.language(source) != self.language(target):
            (target_name, source_name) = (
                language_codes.name(language_codes.normalize_code(code)) for code in (target, source)
            )
            raise ApiError(
                400, f"{target_name} ({target}) is not available as a target language from {source_name} ({source})"
            )
        return pair

    def identify(self, text: str, target: str | None = None) -> list[Candidate]:
        """The most likely languages of a text; none for a text without letters.

        Args:
            text: plain text.
            target: a served language; of similarly likely languages, one with this target is preferred.
        """
        sources = {source for source, other in self.pairs if target in (None, other)}
        return identify(text, self.languages, sources)

    def route(self, text: str, source: str, target: str, is_only_text: bool = True) -> Route:
        """The models that translate a text.

        Args:
            text: plain text.
            source: a code, or `auto`.
            target: a code.
            is_only_text: if False, a text in a language that is not served is left unchanged and raises no error.

        Raises:
            ApiError: as `pair`; or the text is in a language that is not served (400).
        """
        if source != "auto":
            return Route(self.pair(source, target))
        target_code = self.language(target)
        candidates = self.identify(text, target_code)
        if not candidates:
            return Route(None, unidentified(self.languages))
        detected = str(candidates[0]["language"])
        if detected in self.languages:
            return Route(self.pair(detected, target_code), candidates[0])
        if is_only_text:
            raise ApiError(400, f"{language_codes.name(detected)} ({detected}) is not supported")
        return Route(None, candidates[0])

    async def translate(
        self, texts: Sequence[str], pair: PairModels, alternatives: int = 0, model: ModelInfo | None = None
    ) -> list[TextTranslation]:
        """Translate texts; in a cascade, the teacher translates sentences with a low score again.

        Args:
            texts: any number of lines each.
            pair: the result of `pair`.
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
