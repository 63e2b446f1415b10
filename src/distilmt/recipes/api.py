"""Functions of the Python API: `distill` and `compress`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import overload

from distilmt.config import RunConfig
from distilmt.config.choices import CompressionGoal, Metric
from distilmt.config.commands import CompressConfig
from distilmt.config.distill import DistillConfig
from distilmt.config.parsing import parse_values
from distilmt.config.run_loading import load_object, load_run_dir
from distilmt.recipes.run_results import Run
from distilmt.recipes.translation import Translator
from distilmt.utils.arguments import existing_path, written_path
from distilmt.utils.errors import UserError
from distilmt.utils.extras import explained
from distilmt.utils.run_dir import read_json
from distilmt.utils.sizes import total_bytes

Paths = str | Path | Sequence[str | Path]
"""One path or several."""


@overload
def distill(config: RunConfig | Run | str | Path) -> Run: ...


@overload
def distill(
    *,
    teacher: str | Path,
    pair: str,
    text: Paths = (),
    train: Paths = (),
    minutes: float = 60.0,
    run_dir: str | Path | None = None,
    seed: int = 1,
) -> Run: ...


def distill(
    config: RunConfig | Run | str | Path | None = None,
    *,
    teacher: str | Path = "",
    pair: str = "",
    text: Paths = (),
    train: Paths = (),
    minutes: float = 60.0,
    run_dir: str | Path | None = None,
    seed: int = 1,
) -> Run:
    """Distill a student, or resume an interrupted run, up to the report.

    With a whole configuration, as `distilmt run`, or with teacher, text and minutes, as `distilmt distill`.

    Args:
        config: the configuration, the path of a YAML file, or a run to resume or its directory.
        teacher: a Hugging Face seq2seq model (directory or hub name), a CTranslate2 directory, .argosmodel, or `demo`.
        pair: language pair, source first: `en-it`.
        text: one or several text files in the source language, one sentence per line.
        train: sentence pairs, besides or instead of `text`: two parallel files, or one .tsv, .jsonl or .parquet file.
        minutes: approximate time of the whole run; it determines the student's size and the length of its training.
        run_dir: directory of the run; by default runs/distill-PAIR.
        seed: seed of all random numbers.

    Raises:
        TypeError: a path is neither a str nor a Path.
        UserError: an argument is missing or invalid, an input cannot be used, or a package is missing.

    Examples:
        `distilmt.distill(teacher="models/opus-mt-en-it", text="mine.en", pair="en-it")`; or a run, which is resumed:

        >>> run = distilmt.distill("runs/demo")
        >>> run.scores["student-int8"].bleu > 0
        True
    """
    if config is None:
        paths: dict[str, object] = {
            "teacher": str(existing_path("teacher", teacher)) if teacher != "" else "",
            "text": _names("text", text),
            "train": _names("train", train),
            "run_dir": None if run_dir is None else str(written_path("run_dir", run_dir)),
        }
        return _distill_text({**paths, "pair": pair, "minutes": minutes, "seed": seed})
    if teacher or pair or text or train or (minutes, run_dir, seed) != (60.0, None, 1):
        raise UserError(
            "config and other arguments are both given: change the configuration with "
            "RunConfig.from_yaml(path, changes)"
        )
    return _distill_config(config)


def _distill_config(config: RunConfig | Run | str | Path) -> Run:
    with explained("distilmt.distill"):
        from distilmt.pipeline import runner

        return Run(runner.run(_loaded(config)))


def _distill_text(values: Mapping[str, object]) -> Run:
    options = parse_values(DistillConfig, values, {})
    with explained("distilmt.distill"):
        from distilmt.recipes import distill as recipe

        return Run(recipe.run(options))


def _names(name: str, paths: Paths) -> list[str]:
    if isinstance(paths, str | Path):
        return [str(existing_path(name, paths))]
    if not isinstance(paths, Sequence):
        raise TypeError(f"{name} is {paths!r}: give a path, or a list of paths")
    return [str(existing_path(name, path)) for path in paths]


def _loaded(config: RunConfig | Run | str | Path) -> RunConfig:
    if isinstance(config, RunConfig):
        return load_object(config)
    path = config.directory if isinstance(config, Run) else existing_path("config", config)
    return load_run_dir(path, {}) if path.is_dir() else RunConfig.from_yaml(path)


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
        path = self.directory / "ablation.html"
        return path if path.exists() else self.directory / "budget.html"  # its name until 2026-11

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
    metric: Metric = "bleu",
    objective: CompressionGoal = "smallest",
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
        TypeError: `run` is no run and no path, or `options` no CompressConfig.
        UserError: there is no trained student, a setting is invalid, or a package is missing.

    Examples:
        >>> small = distilmt.compress("runs/demo", max_drop=0.5)
        >>> small.bytes < distilmt.Run("runs/demo").systems["student-int8"]["file_bytes"]
        True
    """
    from distilmt.config.command_loading import check_compress

    directory = run.directory if isinstance(run, Run) else existing_path("run", run)
    if options is not None and not isinstance(options, CompressConfig):
        raise TypeError(f"options is {options!r:.60}: give a CompressConfig of distilmt.config.commands")
    settings = asdict(options) if options else {"max_drop": max_drop, "metric": metric, "objective": objective}
    config = parse_values(CompressConfig, settings, {})
    check_compress(config)
    with explained("distilmt.compress"):
        from distilmt.recipes import compress as search

        return CompressedModel(search.run(config, load_run_dir(directory, {})))
