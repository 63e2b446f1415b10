"""The models that translate for a label store: the teacher and an ensemble, in the configured compute type."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distilmt.config import EndpointConfig, LabelConfig, TeacherConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.foreign import export_foreign
from distilmt.export.formats import export_for_translation
from distilmt.inference.base import DecodingOptions, Hypothesis, TranslationModel
from distilmt.inference.manifest import has_manifest
from distilmt.inference.teacher_reference import TeacherReference
from distilmt.inference.translator import Translator
from distilmt.labels.selection import LONGEST_PHRASE
from distilmt.models.checkpoint import load_model
from distilmt.teachers import existing
from distilmt.teachers.remote import RemoteTeacher, load_translation_model
from distilmt.utils.hardware import cores
from distilmt.utils.repetition import repeated_phrases

DECODE_TOKENS = 1024
"""Source tokens of a batch of beam search: some 40 sentences. CTranslate2 translates as many batches at a time as there
are cores, so a batch stays small enough for the keys and values of all its beams."""
NARROW = ("float16", "bfloat16", "int8_float16")
"""Compute types in which a teacher may overflow or degenerate although float32 does not."""


def decoding_options(config: LabelConfig) -> DecodingOptions:
    """How the teacher's translations are searched for."""
    return DecodingOptions(
        beam_size=config.beam_size,
        num_hypotheses=config.num_hypotheses,
        length_penalty=config.length_penalty,
        sampling_temperature=config.sampling_temperature,
        batch_size=DECODE_TOKENS,
        batch_type="tokens",
    )


@dataclass
class LabelingTask:
    """Teacher and settings of labeling."""

    teacher: Path
    tokenizer: Tokenizer
    config: LabelConfig
    source_language: str
    target_language: str
    needs_top_k: bool
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """Request settings of an HTTP teacher."""
    generation_model: Path | None = None
    """A Marian model with the same vocabulary that translates in place of the teacher, which only scores tokens."""
    cores: int | None = None
    """Batches that a cluster worker translates in parallel; None uses one per core of this machine."""
    trains_on_hypotheses: bool = True
    """Whether a student is trained on the translations, so that a teacher without usable ones is an error."""


class TeacherEnsemble:
    """Translates with all teachers."""

    def __init__(self, job: LabelingTask, directory: Path) -> None:
        """Export and load the models that translate.

        Args:
            job: the teachers and settings.
            directory: directory of their exports.
        """
        self.job, self.directory = job, directory
        self.decoded_again = 0
        """Sentences decoded again in float32 because the low-precision output was degenerate."""
        self.paths = [job.generation_model] if job.generation_model else [job.teacher, *map(Path, job.config.ensemble)]
        self.models = [self._open(number, job.config.compute_type) for number in range(len(self.paths))]
        self._float32_models: dict[int, TranslationModel] = {}

    def unstored_usage(self) -> Counter[str]:
        """What programs or servers that store no responses have counted so far."""
        usage: Counter[str] = Counter()
        for model in self.models:
            if isinstance(model, RemoteTeacher) and model.cache is None:
                usage.update(model.backend.usage())
        return usage

    def translate(self, sources: list[str]) -> list[list[Hypothesis]]:
        """Hypotheses of every sentence: the first teacher's, best first, then the next one's."""
        n_best_lists: list[list[Hypothesis]] = [[] for _ in sources]
        for number, model in enumerate(self.models):
            new_lists = self._translate(model, sources)
            if self.job.config.compute_type in NARROW:
                self._redecode_degenerate(number, sources, new_lists)
            n_best_lists = [before + more for before, more in zip(n_best_lists, new_lists, strict=True)]
        return n_best_lists

    def _redecode_degenerate(self, number: int, sources: list[str], n_best_lists: list[list[Hypothesis]]) -> None:
        """Decode hypotheses with NaN scores or repetitions again in float32 (mozilla/translations#244)."""
        rows = [
            row
            for row, hypotheses in enumerate(n_best_lists)
            if is_degenerate(hypotheses, self.job.config.max_repetition)
        ]
        if not rows or not isinstance(self.models[number], Translator):  # the others have no compute types
            return
        if number not in self._float32_models:
            self._float32_models[number] = self._open(number, "float32")
        for row, hypotheses in zip(
            rows, self._translate(self._float32_models[number], [sources[row] for row in rows]), strict=True
        ):
            n_best_lists[row] = hypotheses
        self.decoded_again += len(rows)

    def _translate(self, model: TranslationModel, sources: list[str]) -> list[list[Hypothesis]]:
        return model.hypotheses(sources, decoding_options(self.job.config))

    def _open(self, number: int, compute_type: str) -> TranslationModel:
        name = f"teacher-{compute_type}" + (f"-{number + 1}" if number else "")
        exported, path = self.directory / name, self.paths[number]
        facts = existing.read_pointer(path)
        if number and facts is None and existing.read_pointer(self.job.teacher):  # another external model
            facts = existing.describe_teacher(TeacherConfig(path=str(path)))
        if not existing.has_local_weights(facts) or not has_manifest(exported):
            self._export(facts, path, exported, compute_type)
        workers, here = self.job.cores or cores(), self.job.cores is None  # a worker stores no cache
        return load_translation_model(exported, threads=1, workers=workers, device="auto", use_cache=here)

    def _export(self, facts: TeacherReference | None, path: Path, exported: Path, compute_type: str) -> None:
        job = self.job
        if facts is None:
            export_for_translation(load_model(path), job.tokenizer, exported, compute_type)
            return
        endpoint_facts = existing.with_endpoint(facts, job.endpoint)
        export_foreign(endpoint_facts, exported, compute_type, job.source_language, job.target_language)


def is_degenerate(hypotheses: Sequence[Hypothesis], max_repetition: int) -> bool:
    """Whether a score is not finite, or a phrase repeats more than `max_repetition` times in a row."""
    if any(not math.isfinite(each.score) for each in hypotheses):
        return True
    return any(any(repeated_phrases(each.tokens, LONGEST_PHRASE, max_repetition)) for each in hypotheses)
