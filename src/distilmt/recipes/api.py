"""Functions of the Python API: `distill` and `compress`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distilmt.config import RunConfig
from distilmt.config.commands import CompressConfig
from distilmt.config.run_loading import load_run_dir
from distilmt.recipes.run_results import Run
from distilmt.recipes.translation import Translator
from distilmt.utils.run_dir import read_json
from distilmt.utils.sizes import total_bytes


def distill(config: RunConfig | str | Path) -> Run:
    """Run all steps of a configuration that are not finished, up to the report, as `distilmt run` does.

    Args:
        config: the configuration, the path of a YAML file, or the directory of a run to resume.

    Raises:
        UserError: the configuration is invalid, an input cannot be used, or a package is missing.
    """
    from distilmt.pipeline import runner

    return Run(runner.run(_loaded(config)))


def _loaded(config: RunConfig | str | Path) -> RunConfig:
    if isinstance(config, RunConfig):
        return config
    path = Path(config)
    return load_run_dir(path, []) if path.is_dir() else RunConfig.from_yaml(path)


@dataclass(frozen=True)
class CompressedModel:
    """The result of `compress`: a student within the quality constraint, or the closest one."""

    directory: Path
    """The directory `compressed` of the run."""

    @property
    def model(self) -> Path:
        """Directory of the shipped model."""
        return self.directory / "model"

    @property
    def report(self) -> Path:
        """The table of all steps from the teacher to the shipped model, as a web page."""
        return self.directory / "budget.html"

    @property
    def bytes(self) -> int:
        """Size of the shipped model's files."""
        return total_bytes(self.model)

    @property
    def scores(self) -> dict[str, float]:
        """Scores by name, such as `validation bleu` and `test bleu`."""
        return {name: float(score) for name, score in read_json(self.model / "card.json")["scores"].items()}

    def translator(self) -> Translator:
        """A translator with the shipped model."""
        return Translator(self.model)


def compress(
    run: Run | str | Path,
    max_drop: float = 0.5,
    *,
    metric: Literal["bleu", "chrf"] = "bleu",
    objective: Literal["smallest", "fastest"] = "smallest",
    options: CompressConfig | None = None,
) -> CompressedModel:
    """Find the smallest or fastest version of a run's student within a quality constraint, as `distilmt compress` does.

    Args:
        run: a run with a trained student, or its directory.
        max_drop: maximum loss against the teacher on the validation sentences, in points of the metric.
        metric: metric of `max_drop`.
        objective: which model to choose among those within the constraint.
        options: all settings of the search, instead of the three above; its `path` is not used.

    Raises:
        UserError: there is no trained student, a setting is invalid, or a package is missing.
    """
    from distilmt.config.command_loading import check_compress
    from distilmt.recipes import compress as search

    directory = run.directory if isinstance(run, Run) else Path(run)
    config = options or CompressConfig(max_drop=max_drop, metric=metric, objective=objective)
    check_compress(config)
    return CompressedModel(search.run(config, load_run_dir(directory, [])))
