"""Publish a model of a run on the Hugging Face hub; needs no torch."""

from __future__ import annotations

from pathlib import Path

from distilmt.config import RunConfig
from distilmt.config.run_loading import load_run_dir
from distilmt.export.publish import Publication, push
from distilmt.inference.hub import REPOSITORY
from distilmt.inference.manifest import has_manifest, is_model, resolve_name
from distilmt.report.schema import complete
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json
from distilmt.utils.run_paths import RunPaths


def publish(run: Path, repo_id: str, system: str, private: bool = False, license: str | None = None) -> str:
    """Upload an export of a run with its card.

    Args:
        run: the run's directory.
        repo_id: `OWNER/NAME`.
        system: which export; `compressed` is the result of `distilmt compress`.
        private: whether a new repository is private.
        license: license of the model; None: that of teacher and text, if both are stated and the same.

    Returns:
        The address of the model's page.

    Raises:
        UserError: the run has no such export or no report, or as `distilmt.export.publish.push`.
    """
    _check_is_run(run)
    config = load_run_dir(run, {})
    paths = RunPaths(run)
    directory = paths.compressed_model if system == "compressed" else paths.export(system)
    if not directory.is_dir():
        names = ", ".join(sorted(path.name for path in paths.exports.glob("*") if path.is_dir()))
        raise UserError(f"{run} has no exported {system!r}: {f'it has {names}' if names else 'finish the run first'}")
    return push(directory, repo_id, publication(config, run, license), private)


def _check_is_run(run: Path) -> None:
    """Check that a model is not named in the place of its run.

    Raises:
        UserError: it is.
    """
    if run.exists() and (run / "config.yaml").exists():
        return
    if resolve_name(run) != run:
        raise UserError(
            f"{run} is the student that is installed with distilmt: publish one of your own runs, such as runs/demo of "
            "`distilmt demo`"
        )
    if is_model(run) or has_manifest(run):
        owner = run.resolve().parent.parent
        its_run = f"{run.parent.parent} --system {run.name}" if (owner / "config.yaml").exists() else "runs/demo"
        raise UserError(f"{run} is an exported model, whose run has its scores: name the run, such as {its_run}")


def publication(config: RunConfig, run: Path, license: str | None = None) -> Publication:
    """What the hub shows about the models of a run: test set, signatures of the scores, teacher, data set, license.

    Raises:
        UserError: the run has no report yet.
    """
    test = complete(read_json(run / "report.json"))["test"]
    signatures = {"bleu": test.get("bleu_signature", ""), "chrf": test.get("chrf_signature", "")}
    dataset = config.corpus.dataset or ""
    on_hub = dataset.removeprefix("hf:").partition(":")[0]
    return Publication(
        test_set=f"{_test_set(config)}, {test.get('sentences', 0)} sentences",
        signatures={metric: text for metric, text in signatures.items() if text},
        base_model=_hub_name(config.teacher.path or ""),
        dataset=_hub_name(on_hub) if dataset.startswith("hf:") else None,
        license=license,
    )


def _test_set(config: RunConfig) -> str:
    """A name for the test set: its files, or what it was split off."""
    corpus = config.corpus
    if corpus.test:
        return " and ".join(Path(name).name for name in corpus.test)
    origin = corpus.dataset or " and ".join(Path(name).name for name in (*corpus.train, *corpus.monolingual))
    return f"held out from {origin or 'the training text'}"


def _hub_name(name: str) -> str | None:
    """A name that only the hub can have; None for paths."""
    return name if REPOSITORY.fullmatch(name) and not Path(name).exists() and not name.startswith(".") else None
