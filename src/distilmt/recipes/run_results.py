"""The results of a run, read from its directory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from distilmt.config import RunConfig
from distilmt.config.run_loading import load_run_dir
from distilmt.evaluation.quality import Comparison, TranslationScores
from distilmt.report.schema import RunReport, System, complete
from distilmt.utils.arguments import existing_path
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json

if TYPE_CHECKING:
    from distilmt.labels.store import LabelStore
    from distilmt.recipes.translation import Translator


_T = TypeVar("_T")


class _BySystem(dict[str, _T]):
    """Values by the name of an exported model; an unknown name is explained."""

    def __missing__(self, name: str) -> _T:
        raise KeyError(f"{name!r} is no exported model of this run: it has {', '.join(self)}")


class Run:
    """A run directory with a report: `distilmt.distill` returns one, and `Run("runs/demo")` opens an old one.

    Examples:
        >>> run = distilmt.Run("runs/demo")
        >>> scores, size = run.scores["student-int8"], run.systems["student-int8"]["file_bytes"]
        >>> scores.bleu < scores.chrf, size > 0
        (True, True)
        >>> run.report.name
        'report.html'
    """

    def __init__(self, directory: str | Path) -> None:
        """Open a run directory; its files are read when they are needed.

        Raises:
            TypeError: it is neither a str nor a Path.
            UserError: there is no run in it.
        """
        self.directory = existing_path("directory", directory)
        """The run directory."""
        if not self.directory.is_dir():
            raise UserError(f"{directory} is not a directory: name the directory of a run, such as runs/demo")
        if not (self.directory / "config.yaml").exists() and not (self.directory / "report.json").exists():
            raise UserError(f"{directory} has no config.yaml: name the directory of a run, such as runs/demo")

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r})"

    @property
    def config(self) -> RunConfig:
        """The whole configuration.

        Raises:
            UserError: the directory is not one of a run.
        """
        return load_run_dir(self.directory, {})

    @property
    def report(self) -> Path:
        """The report as a web page."""
        return self.directory / "report.html"

    @cached_property
    def results(self) -> RunReport:
        """The content of `report.json`.

        Raises:
            UserError: the run has no report yet.
        """
        return complete(read_json(self.directory / "report.json"))

    @property
    def systems(self) -> dict[str, System]:
        """Size, scores, speed and memory of every exported model, by name (`teacher`, `student-int8`)."""
        return _BySystem({system["name"]: system for system in self.results["systems"]})

    @property
    def scores(self) -> dict[str, TranslationScores]:
        """BLEU, chrF and TER on the test set by name of the exported model, with sacreBLEU's signatures."""
        test = self.results["test"]
        scores = {
            name: TranslationScores(
                bleu=_number(system.get("bleu")),
                chrf=_number(system.get("chrf")),
                ter=_number(system.get("ter")),
                bleu_signature=test.get("bleu_signature", ""),
                chrf_signature=test.get("chrf_signature", ""),
                ter_signature=test.get("ter_signature", ""),
            )
            for name, system in self.systems.items()
        }
        return _BySystem(scores)

    @property
    def comparisons(self) -> Sequence[Comparison]:
        """Differences between two systems, with 95% interval and p-value."""
        return self.results["comparisons"]

    @property
    def labels(self) -> LabelStore:
        """The teacher's labels.

        Raises:
            UserError: there are none.
        """
        from distilmt.labels.store import LabelStore

        return LabelStore(self.directory / "labels")

    def translator(self, system: str = "student-int8") -> Translator:
        """A translator with an exported model of the run.

        Raises:
            UserError: the run has no such export.
        """
        from distilmt.recipes.translation import Translator

        return Translator(self.directory, system)

    def push_to_hub(
        self, repo_id: str, system: str = "student-int8", *, private: bool = False, license: str | None = None
    ) -> str:
        """Publish an exported model with its card on the Hugging Face hub (needs the extra `hub` and a token).

        The card's metadata has languages, license, teacher and the scores on the test set with sacreBLEU's signatures.
        `Translator("hf:OWNER/NAME")` then translates with the model.

        Args:
            repo_id: `OWNER/NAME`; the repository is created if it does not exist.
            system: which export; `compressed` is the result of `distilmt compress`.
            private: whether a new repository is private.
            license: license of the model; None: that of teacher and text (`export.licenses`), if both are the same.

        Returns:
            The address of the model's page.

        Raises:
            UserError: the run has no such export, or the hub refuses the upload or cannot be reached.
        """
        from distilmt.recipes.publish import publish

        return publish(self.directory, repo_id, system, private, license)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
