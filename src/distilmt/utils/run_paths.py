"""Where the files of a run directory are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SUBSET = "size-"


@dataclass(frozen=True)
class RunPaths:
    """Paths of a run directory; a step's directory is named as the step."""

    root: Path

    def step(self, name: str) -> Path:
        """The directory of a step."""
        return self.root / name

    @property
    def corpus(self) -> Path:
        """Sentence pairs: train, valid and test in Parquet, and their card."""
        return self.step("corpus")

    @property
    def references(self) -> Path:
        """Of monolingual text: the teacher's translations that serve as references."""
        return self.step("references")

    @property
    def tokenizer(self) -> Path:
        """SentencePiece models and vocabularies."""
        return self.step("tokenizer")

    @property
    def teacher(self) -> Path:
        """A model directory, or a pointer to a teacher elsewhere."""
        return self.step("teacher")

    @property
    def labels(self) -> Path:
        """The label store."""
        return self.step("labels")

    @property
    def selection(self) -> Path:
        """The label store of reranked hypotheses, which replaces `labels` in training."""
        return self.step("selection")

    @property
    def student(self) -> Path:
        """A model directory."""
        return self.step("student")

    def renderings(self, student_input: str) -> Path:
        """Pictures (`image`) or recordings (`speech`) of the training text, until student and baseline are trained."""
        return self.root / ("pictures" if student_input == "image" else "recordings")

    @property
    def baseline(self) -> Path:
        """The model directory of the student that was trained without the teacher."""
        return self.step("baseline")

    @property
    def exports(self) -> Path:
        """The directory of all exports."""
        return self.step("exports")

    def export(self, system: str) -> Path:
        """An export, such as `student-int8`."""
        return self.exports / system

    @property
    def evaluation(self) -> Path:
        """Translations, scores and speed of every export."""
        return self.step("evaluation")

    @property
    def report(self) -> Path:
        """The record of the step; the report itself is in the run directory."""
        return self.step("report")

    @property
    def report_json(self) -> Path:
        """The report for programs."""
        return self.root / "report.json"

    @property
    def report_html(self) -> Path:
        """The report as a page."""
        return self.root / "report.html"

    @property
    def config(self) -> Path:
        """The whole configuration as YAML."""
        return self.root / "config.yaml"

    @property
    def compressed(self) -> Path:
        """Where `distilmt compress` writes."""
        return self.root / "compressed"

    @property
    def compressed_model(self) -> Path:
        """The export that `distilmt compress` selected."""
        return self.compressed / "model"

    @property
    def trial(self) -> Path:
        """Where `distilmt trial` writes."""
        return self.root / "trial"

    @property
    def plan(self) -> Path:
        """Where `distilmt plan` writes."""
        return self.root / "plan"

    def subset(self, size: int) -> RunPaths:
        """The run directory of a plan's subset with so many sentences."""
        return RunPaths(self.plan / f"{_SUBSET}{size}")

    @property
    def subsets(self) -> list[RunPaths]:
        """The run directories of all subsets of the plan."""
        return [RunPaths(path) for path in sorted(self.plan.glob(f"{_SUBSET}*"))]

    @property
    def planned_run(self) -> RunPaths:
        """The run that a subset belongs to; of any other directory, itself."""
        run = RunPaths(self.root.parent.parent)
        return run if run.plan == self.root.parent else self

    @property
    def methods(self) -> Path:
        """The run directories of a comparison, by method and seed."""
        return self.root / "methods"

    @property
    def selections(self) -> Path:
        """The selections of a comparison, each the directory of one step."""
        return self.root / "selections"

    @property
    def with_runs(self) -> tuple[Path, ...]:
        """Directories that contain further run directories."""
        return self.plan, self.compressed, self.methods, self.selections
