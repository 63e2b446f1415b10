"""The interface of an export format.

A format is a module of this package that is named as in `export.formats` and has an `EXPORTER`. Pipeline code calls
exporters through this interface alone: before anything is trained, in the step `exports`, and to compare translations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from distilmt.config import ExportConfig, RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.export.card import ModelCard
from distilmt.utils.errors import UserError
from distilmt.utils.extras import check_packages

if TYPE_CHECKING:
    from transformers import MarianMTModel

    from distilmt.models.base import Seq2SeqModel


@dataclass(frozen=True)
class TrainedModel:
    """What is exported."""

    model: Seq2SeqModel
    """In float32 and eval mode; exporters do not change it."""
    tokenizer: Tokenizer
    """The tokenizer that it was trained with."""
    card: ModelCard
    """Facts for the model card."""

    @property
    def network(self) -> MarianMTModel:
        """The model as transformers' class, for formats that hold Marian models only.

        Raises:
            UserError: it is of another architecture.
        """
        from distilmt.models.marian import marian_network

        return marian_network(self.model)


@dataclass(frozen=True)
class NotRun:
    """Instead of translations: why a format's program is not run by distilmt."""

    reason: str


class Exporter(Protocol):
    """An export format."""

    @property
    def suffix(self) -> str:
        """End of an export's name, after the name of its model: `-onnx`, or `.argosmodel` for a file."""

    def check(self, config: RunConfig) -> None:
        """Check that a run's student can be exported, before it is trained; writes nothing.

        Raises:
            UserError: a package or program is missing, or the format does not support the configured student.
        """

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """Write an export atomically; an older one there is replaced.

        Args:
            trained: a model with its tokenizer and card.
            path: the file or directory.
            config: the options of exports.

        Raises:
            UserError: as `check`, or the format does not support this model.
        """

    def translate(self, path: Path, texts: Sequence[str]) -> Mapping[str, list[str]] | NotRun:
        """Greedy translations with the program that the format is made for.

        Args:
            path: an export.
            texts: one sentence each, within the model's positions.

        Returns:
            Translations by variant: "" for the export itself, others such as `-int8` for further weights that it
            holds. Or why they cannot be made here.
        """


def require_packages(name: str, packages: Sequence[str], extra: str = "") -> None:
    """Check that the packages of a format are installed.

    Args:
        name: the format.
        packages: names of top-level modules.
        extra: the extra of distilmt that has them; empty: its required packages.

    Raises:
        UserError: some are missing.
    """
    check_packages(f"the export format {name!r}", packages, extra)


def require_marian(name: str, config: RunConfig) -> None:
    """Check that a run's student is a Marian model, for formats that hold no other.

    Raises:
        UserError: it is of another architecture.
    """
    architecture = config.student.model.architecture
    if architecture != "marian":
        raise UserError(
            f"the export format {name!r} holds Marian models only, but student.model.architecture is {architecture!r}: "
            f"remove {name} from export.formats, or set the architecture to marian"
        )
