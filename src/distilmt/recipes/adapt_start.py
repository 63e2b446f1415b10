"""The student that `distilmt adapt` starts from: its weights, vocabulary and languages, and the text of its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distilmt.config import ModelConfig
from distilmt.config.adapt import AdaptConfig
from distilmt.config.run_loading import load_run_dir
from distilmt.config.systems import STUDENT
from distilmt.inference.hub import hub_name
from distilmt.inference.manifest import card_languages, resolve_name
from distilmt.pipeline.pretrained_student import pretrained_directory
from distilmt.pipeline.run_root import CONFIG
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_step
from distilmt.utils.run_paths import RunPaths


@dataclass(frozen=True)
class Start:
    """A trained student."""

    name: str
    """As the user names it."""
    directory: Path
    """Its Marian directory."""
    model: ModelConfig
    """Its shape."""
    pair: tuple[str, str]
    """Source and target language."""
    corpus: Path | None
    """The corpus of the run that trained it; None if that is not here."""


def read_start(config: AdaptConfig) -> Start:
    """The student that is named.

    Raises:
        UserError: there is none, or it cannot be trained further here.
    """
    directory = pretrained_directory(config.student, "student")
    run = None if hub_name(config.student) else _run_of(resolve_name(Path(config.student)))
    shape, pair = _shape(config.student, directory), _pair(config, directory, run)
    return Start(config.student, directory, shape, pair, _corpus(run))


def _run_of(path: Path) -> Path | None:
    """The run that a path is, or is in (its student, or one of its exports); None without one."""
    place = path.resolve()
    candidates = (place, place.parent, place.parent.parent)
    return next((each for each in candidates if (each / CONFIG).is_file() and (each / STUDENT).is_dir()), None)


def _shape(name: str, directory: Path) -> ModelConfig:
    from distilmt.models.checkpoint import load_model

    model = load_model(directory)
    if model.architecture != "marian":
        raise UserError(f"{name} does not read text ({model.architecture}): name a student with student.input: text")
    own = model.dimensions
    if (own.encoder.ffn_dim, own.encoder.heads) != (own.decoder.ffn_dim, own.decoder.heads):
        raise UserError(
            f"{name} was pruned: its encoder and its decoder have other widths or heads ({own.encoder.ffn_dim} and "
            f"{own.decoder.ffn_dim} units): adapt the student that it was pruned from, then compress that again"
        )
    return ModelConfig(
        preset=None,
        d_model=own.d_model,
        ffn_dim=own.encoder.ffn_dim,
        num_heads=own.encoder.heads,
        encoder_layers=own.encoder.layers,
        decoder_layers=own.decoder.layers,
        max_positions=own.max_positions,
    )


def _pair(config: AdaptConfig, directory: Path, run: Path | None) -> tuple[str, str]:
    """Source and target: those of the run, else of the card, else of the flag, which must be the same.

    Raises:
        UserError: no pair is known, or another one is named.
    """
    stated = card_languages(directory)
    if run is not None:
        corpus = load_run_dir(run, {}).corpus
        stated = corpus.source, corpus.target
    source, _, target = config.pair.partition("-")
    if config.pair and not (source and target):
        raise UserError(f"pair is {config.pair!r}: write the language pair like en-it, the source first")
    if not config.pair and not all(stated):
        raise UserError(f"{config.student} does not say which languages it translates: name them with --pair en-it")
    if config.pair and all(stated) and stated != (source, target):
        raise UserError(f"{config.student} translates from {stated[0]} to {stated[1]}, but pair is {config.pair}")
    return (source, target) if config.pair else stated


def _corpus(run: Path | None) -> Path | None:
    if run is None:
        return None
    corpus = RunPaths(run).corpus
    return corpus if read_step(corpus) is not None and (corpus / "train.parquet").is_file() else None
