"""A step of a run, and the list of all steps.

Which keys affect a step stands in the metadata of their fields (`config.effects`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.config import RunConfig
from distilmt.config.effects import ConfigKey, keys_of
from distilmt.utils import step_results as results

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_TOKENIZER_FILES = ("*.spm", "vocab.json", "target_vocab.json", "tokenizer_config.json")
_MODEL_FILES = (
    *_TOKENIZER_FILES,
    "model*.safetensors",
    "ctc_head.safetensors",
    "config.json",
    "generation_config.json",
    "teacher.json",
)
_MODEL_OUTCOME = ("model*.safetensors", "config.json", "*.spm", "teacher.json")
_SHARDS = ("shard-*.parquet",)


@lru_cache
def run_keys() -> Mapping[str, ConfigKey]:
    """All keys of a run."""
    return keys_of(RunConfig)


def _always(config: RunConfig) -> bool:
    return True


def _on_request(config: RunConfig) -> bool:
    return False


def _monolingual(config: RunConfig) -> bool:
    return not config.corpus.bilingual


def _selects(config: RunConfig) -> bool:
    return config.labels.selects


def _has_baseline(config: RunConfig) -> bool:
    return config.student.baseline


@dataclass(frozen=True)
class Step:
    """A step: it reads the directories of other steps and writes its own."""

    name: str
    """Also the name of its directory."""
    reads: tuple[str, ...]
    """The steps that it reads, where the run has them."""
    function: str
    """Name of its work in `distilmt.pipeline.steps`, which imports torch and therefore is imported late."""
    result_type: type[DataclassInstance]
    """What its work returns and its record holds."""
    needed: Callable[[RunConfig], bool] = _always
    """Whether a run has the step; recipes run those that no run has."""
    optional: bool = False
    """Whether only some runs have it: then no command is named after it."""
    outcome: tuple[str, ...] = ()
    """Patterns of the outcome files: if none of them changes, no step that reads them is rerun."""
    sealed: tuple[str, ...] = ()
    """Patterns of the files whose checksums the record holds."""
    former_section: str = ""
    """The section of the configuration whose keys older records had without its name."""

    @property
    def keys(self) -> dict[str, ConfigKey]:
        """The keys that may affect it, by name."""
        return {name: key for name, key in run_keys().items() if self.name in key.steps}

    @property
    def unread_keys(self) -> frozenset[str]:
        """Those of them that do not affect the steps that read this one."""
        return frozenset(name for name, key in self.keys.items() if not key.effect.downstream)

    def inputs(self, config: RunConfig) -> list[str]:
        """The steps that it reads in a run."""
        return [name for name in self.reads if step_named(name).needed(config)]

    def work(self, config: RunConfig, directory: Path) -> DataclassInstance:
        """Do the step's work in a directory; returns the result for its record."""
        from distilmt.pipeline import steps

        result: DataclassInstance = getattr(steps, self.function)(config, directory)
        return result


STEPS = (
    Step("corpus", (), "prepare_corpus", results.CorpusResult, outcome=("*.parquet",), former_section="corpus"),
    # Where the corpus is of one language: the teacher's translations serve as references.
    Step(
        "references",
        ("corpus",),
        "write_references",
        results.ReferencesResult,
        needed=_monolingual,
        optional=True,
        outcome=("*.parquet", "teacher.json"),
        former_section="teacher",
    ),
    Step(
        "tokenizer",
        ("corpus", "references"),
        "train_tokenizer",
        results.TokenizerResult,
        outcome=("*",),
        sealed=_TOKENIZER_FILES,
        former_section="tokenizer",
    ),
    Step(
        "teacher",
        ("corpus", "tokenizer"),
        "make_teacher",
        results.ModelResult,
        outcome=_MODEL_OUTCOME,
        sealed=_MODEL_FILES,
        former_section="teacher",
    ),
    Step(
        "labels",
        ("corpus", "tokenizer", "teacher"),
        "write_labels",
        results.LabelResult,
        outcome=_SHARDS,
        former_section="labels",
    ),
    # With reranking or selection: its labels then replace all labels.
    Step(
        "selection",
        ("corpus", "tokenizer", "teacher", "labels"),
        "rerank_labels",
        results.SelectionResult,
        needed=_selects,
        optional=True,
        outcome=_SHARDS,
        former_section="labels",
    ),
    Step(
        "student",
        ("corpus", "references", "tokenizer", "labels", "selection", "teacher"),
        "train_student",
        results.ModelResult,
        outcome=_MODEL_OUTCOME,
        sealed=_MODEL_FILES,
        former_section="student",
    ),
    # It reads the labels only for the list of their sentences: same data, no teacher.
    Step(
        "baseline",
        ("corpus", "tokenizer", "labels"),
        "train_baseline",
        results.ModelResult,
        needed=_has_baseline,
        outcome=_MODEL_OUTCOME,
        sealed=_MODEL_FILES,
        former_section="student",
    ),
    Step(
        "exports",
        ("tokenizer", "teacher", "student", "baseline"),
        "export_models",
        results.ExportsResult,
        former_section="export",
    ),
    Step(
        "evaluation",
        ("corpus", "references", "exports"),
        "evaluate_models",
        results.EvaluationResult,
        former_section="evaluation",
    ),
    Step(
        "report",
        ("corpus", "references", "tokenizer", "teacher", "labels", "student", "baseline", "exports", "evaluation"),
        "write_run_report",
        results.ReportResult,
    ),
    # Of a comparison of methods.
    Step(
        "teacher-scores",
        ("corpus", "references", "tokenizer", "teacher"),
        "score_teacher",
        results.ScoresResult,
        needed=_on_request,
        optional=True,
        former_section="evaluation",
    ),
    Step(
        "scores",
        ("corpus", "references", "tokenizer", "teacher", "student"),
        "score_student",
        results.ScoresResult,
        needed=_on_request,
        optional=True,
        former_section="evaluation",
    ),
    # Of a plan.
    Step(
        "validation",
        ("corpus", "references", "tokenizer", "student"),
        "validate_student",
        results.ValidationResult,
        needed=_on_request,
        optional=True,
        former_section="evaluation",
    ),
)
"""All steps, in the order in which a run has them."""
RUN_STEPS = tuple(each.name for each in STEPS if not each.optional)
"""Names of the steps that a command may end with."""


def step_named(name: str) -> Step:
    """A step by its name."""
    return next(each for each in STEPS if each.name == name)


def steps_until(last: str, config: RunConfig) -> list[Step]:
    """The steps of a run up to one of `RUN_STEPS`."""
    names = [each.name for each in STEPS]
    return [each for each in STEPS[: names.index(last) + 1] if each.needed(config)]


def reaches(last: str, name: str) -> bool:
    """Whether a run up to `last` has the step `name`; both are of `RUN_STEPS`."""
    return RUN_STEPS.index(last) >= RUN_STEPS.index(name)
