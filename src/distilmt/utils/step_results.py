"""Results of steps: what the entry `result` of a `step.json` holds.

A step returns its result, and `to_record` writes it; who reads a finished step takes `result_of`. Records of older
versions may lack keys, or have former names; keys that no result has are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from distilmt.utils.json_types import JsonMapping, JsonObject
from distilmt.utils.run_dir import StepRecord, read_step

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

_FORMER, _PREFIX = "former", "prefix"


def _renamed(former: str, default: Any = None) -> Any:
    """A field that older records have by a former name."""
    return field(default=default, metadata={_FORMER: former})


def _by_name(prefix: str = "") -> Any:
    """A mapping whose entries stand in the record itself, each with this prefix before its name."""
    return field(default_factory=dict, metadata={_PREFIX: prefix})


@dataclass(frozen=True)
class CorpusResult:
    """Pairs of the corpus."""

    train: int = 0
    valid: int | None = None
    test: int | None = None
    read: int | None = None
    """Pairs before cleaning."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Pairs that cleaning dropped, by reason."""

    @property
    def counts(self) -> dict[str, int]:
        """Rows by split, where they are known."""
        return {"train": self.train} | ({} if self.valid is None else {"valid": self.valid})


@dataclass(frozen=True)
class ReferencesResult:
    """Sentences that the teacher translated, by split."""

    valid: int = 0
    test: int = 0
    sample: int = 0
    """Training sentences, for the tokenizer of the target."""


@dataclass(frozen=True)
class TokenizerResult:
    """Tokens of the vocabularies: one size, or the source's and the target's."""

    sizes: Sequence[int] = ()
    shared: bool | None = None


@dataclass(frozen=True)
class LabelResult:
    """Sentences of a label store."""

    sentences: int = 0
    shards: int | None = None
    reused: int = 0
    """Those whose labels were taken from other stores."""
    seconds_per_sentence: float | None = None
    """Of the sentences that were labeled; None without any, or in older records."""
    decoded_again: int | None = None
    """Sentences that the teacher translated a second time, for their first hypotheses were unusable."""
    usage: Mapping[str, float] | None = _renamed("answers")
    """What a program or server counted: requests, tokens, price."""


@dataclass(frozen=True)
class SelectionResult:
    """Rows of a store of selected hypotheses."""

    sentences: int = 0
    changed: int = 0
    """Sentences whose first hypothesis is another than the beam's."""
    rows: int = _renamed("kept", 0)
    """Hypotheses that were selected, over all sentences."""


@dataclass(frozen=True)
class ModelResult:
    """A model that was trained or pruned, or a teacher that was imported: then only what is known of it."""

    name: str | None = None
    """Of an imported teacher, like the next two: its path, hub name, command or URL."""
    family: str | None = None
    license: str | None = None
    processes: int | None = None
    """Processes that trained it together; None for one."""
    updates: int | None = None
    best_update: int | None = None
    best_score: float | None = None
    """The best validation score, by the metric of the training."""
    train_seconds: float | None = None
    """Seconds of the training with its validations."""
    validation_seconds: float | None = None
    """Seconds of the validations; None in older records."""
    parameters: int | None = None
    stage: int | None = None
    """With on-policy rounds: the best one, 0 for the training before them."""
    hypotheses_dropped: Mapping[str, int] | None = None
    """Hypotheses that were not trained on, by reason; None where there were none to train on."""
    layers_copied: Mapping[str, Sequence[int]] | None = None
    """The teacher's layers that the student began with, by stack."""
    ffn: Mapping[str, int] | None = None
    """Width of the feed-forward blocks by stack, where they were narrowed."""
    layers_removed: Sequence[JsonMapping] | None = None
    """Layers that were removed, each with the cross-entropy without it."""
    pieces: Sequence[int] | None = None
    """Tokens of the vocabulary before and after those without use were removed."""


@dataclass(frozen=True)
class ExportsResult:
    """Bytes of each export by its name."""

    bytes: Mapping[str, int] = _by_name()


@dataclass(frozen=True)
class EvaluationResult:
    """BLEU of each export by its name."""

    bleu: Mapping[str, float] = _by_name("bleu ")


@dataclass(frozen=True)
class ReportResult:
    """The page, and BLEU of the teacher and of the smallest student by their names."""

    html: str = ""
    bleu: Mapping[str, float] = _by_name()


@dataclass(frozen=True)
class ScoresResult:
    """Scores of a compared model on the test set: with float32 by beam search and greedily, with int8 by beam search.

    Each holds the values of `evaluation.quality.TranslationScores`.
    """

    beam: JsonMapping = field(default_factory=dict)
    greedy: JsonMapping = field(default_factory=dict)
    int8: JsonMapping = field(default_factory=dict)
    token_metrics: Mapping[str, float | None] | None = _renamed("words")
    """Means per token; None for a model without weights here."""


@dataclass(frozen=True)
class ValidationResult:
    """Scores of a plan's student on the validation set."""

    bleu: float = 0.0
    chrf: float = 0.0
    cross_entropy: float = 0.0
    """Of the references, in nats per token."""


def from_record(kind: type[T], values: JsonMapping) -> T:
    """A result from the entry of a record; null counts as missing."""
    fields = dataclasses.fields(kind)
    named = [each for each in fields if _PREFIX not in each.metadata]
    keys = {key: each.name for each in named for key in (each.name, each.metadata.get(_FORMER, each.name))}
    own = {keys[key]: value for key, value in values.items() if key in keys and value is not None}
    for each in fields:
        if (prefix := each.metadata.get(_PREFIX)) is not None:
            entries = {key: value for key, value in values.items() if key.startswith(prefix) and key not in keys}
            own[each.name] = {key.removeprefix(prefix): value for key, value in entries.items()}
    return kind(**own)


def to_record(result: DataclassInstance) -> JsonObject:
    """The entry of a record; None is left out."""
    record: JsonObject = {}
    for each in dataclasses.fields(result):
        value = getattr(result, each.name)
        if (prefix := each.metadata.get(_PREFIX)) is not None:
            record |= {f"{prefix}{name}": entry for name, entry in value.items()}
        elif value is not None:
            record[each.name] = value
    return record


def result_of(kind: type[T], record: StepRecord | None) -> T:
    """The result in a record; all defaults without one."""
    return from_record(kind, record.result if record else {})


def read_result(kind: type[T], directory: Path) -> T:
    """The result of the finished step in a directory; all defaults without one."""
    return result_of(kind, read_step(directory))
