"""Steps of `distilmt compress`: prune a student and train it again, export it, score it."""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from distilmt.compression import importance, shortlist, vocabulary
from distilmt.compression.pruning import drop_layers, narrow_ffn, rebuild, round_width
from distilmt.compression.search import Variant
from distilmt.compression.shortlist import Shortlist
from distilmt.config import RunConfig, ShortlistConfig, TrainingConfig
from distilmt.data import prepare
from distilmt.data import tokenizer as tokenizers
from distilmt.evaluation import quality
from distilmt.export.pack import pack
from distilmt.labels.store import LabelStore
from distilmt.models.base import STACKS, Seq2SeqModel
from distilmt.models.checkpoint import load_model, save_model
from distilmt.models.presets import parameter_count
from distilmt.pipeline.step_directory import run_step
from distilmt.pipeline.steps.fit_model import clean_up, fit_model
from distilmt.pipeline.steps.score import export_model
from distilmt.pipeline.steps.train import student_job
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.hardware import cores
from distilmt.utils.run_dir import link, read_json, step_fingerprint, write_json
from distilmt.utils.run_paths import RunPaths
from distilmt.utils.step_results import ModelResult, read_result

Cut = Literal["longer", "ffn", "encoder", "decoder", "qat", "vocabulary"]
_MULTIPLE = 16
_SAMPLE_BATCHES = 16


@dataclass(frozen=True)
class CompressionSpec:
    """How a model is derived from another."""

    run: RunConfig
    """The run; its directory is that of the new model."""
    parent: Path
    """Directory of the initial model."""
    cut: Cut
    """The change: `ffn` narrows the feed-forward blocks, `encoder` and `decoder` remove a layer, `vocabulary` removes
    tokens; `longer` and `qat` prune nothing, the latter trains with fake quantization."""
    updates: int
    """Updates of the training after it; none after removing tokens."""
    rate: float = 0.1
    """Learning rate of that training, as a share of the student's."""
    bits: int = 8
    """Bits of the weights in `qat`."""
    ffn: float = 0.5
    """Share of the feed-forward units that `ffn` retains."""
    least_uses: int = 1
    """Minimum frequency of a retained token in the training text."""

    @property
    def student(self) -> Path:
        """Directory of the new model."""
        return self.run.paths.student


_LINKS = ("corpus", "teacher", "labels", "selection")


def prepare_run_dir(spec: CompressionSpec, paths: RunPaths) -> None:
    """Create the run directory of a new model, with links to the training data of `paths`.

    The tokenizer is that of the initial model, or its own if tokens were removed.
    """
    run_dir = spec.student.parent
    run_dir.mkdir(parents=True, exist_ok=True)
    for step in _LINKS:
        if paths.step(step).exists():
            link(run_dir / step, paths.step(step))
    if spec.cut != "vocabulary":
        link(run_dir / "tokenizer", spec.parent.parent / "tokenizer")


def compress_model(spec: CompressionSpec) -> None:
    """Create a model, unless it exists."""
    run = spec.run
    inputs = {"parent": step_fingerprint(spec.parent), "labels": step_fingerprint(labels_of(run, run.paths))}
    settings: dict[str, Any] = {"cut": spec.cut}
    if spec.cut == "vocabulary":
        run_step(
            spec.student,
            inputs,
            settings | {"least_uses": spec.least_uses},
            lambda directory: _prune_vocabulary(spec, directory),
        )
        return
    if spec.cut == "ffn":
        settings["ffn"] = spec.ffn
    if spec.cut == "qat":
        settings["bits"] = spec.bits
    settings |= {"updates": spec.updates, "rate": spec.rate, "seed": run.seed, "student": asdict(run.student)}
    run_step(spec.student, inputs, settings, lambda directory: cut_and_train(spec, directory))
    clean_up(spec.student)


def labels_of(run: RunConfig, paths: RunPaths) -> Path:
    """The labels that the student of a run directory is trained on."""
    return paths.selection if run.labels.selects else paths.labels


def available_cuts(student: Path, layers: bool, ffn: float) -> list[Cut]:
    """Applicable changes of the allowed ones: layers, and feed-forward units down to a minimum share."""
    dimensions = load_model(student).dimensions
    cuts: list[Cut] = []
    if any(_narrower(width, ffn) < width for width in (dimensions.stack(stack).ffn_dim for stack in STACKS)):
        cuts.append("ffn")
    return cuts + [stack for stack in STACKS if layers and dimensions.stack(stack).layers > 1]


def _narrower(width: int, share: float) -> int:
    return min(width, round_width(int(share * width), _MULTIPLE))


def decoding_operations(student: Path, beam_size: int) -> float:
    """Multiplications per target token of a sentence as long as its source: estimates the order by speed.

    The decoder runs for every hypothesis of the beam, one token at a time.
    """
    d = load_model(student).dimensions
    encoder = d.encoder.layers * (4 * d.d_model + 2 * d.encoder.ffn_dim) * d.d_model
    decoder = d.decoder.layers * (8 * d.d_model + 2 * d.decoder.ffn_dim) * d.d_model
    return float(encoder + beam_size * (decoder + d.d_model * d.vocabulary))


def cut_and_train(spec: CompressionSpec, directory: Path) -> ModelResult:
    """Prune a model, train it on the student's labels, and write a normal model directory."""
    paths, config = RunPaths(directory.parent), spec.run
    tokenizer = tokenizers.load(paths.tokenizer)
    job, _ = student_job(config, paths, tokenizer)
    batches = importance.sample(job.data, _SAMPLE_BATCHES, job.config.batch_tokens, config.seed)
    model, changes = apply_cut(load_model(spec.parent), spec, importance.CalibrationSample(batches))
    bits = spec.bits if spec.cut == "qat" else 0
    job = replace(job, name=paths.root.name, config=_fine_tuning_config(job.config, spec.updates, spec.rate), bits=bits)
    result = fit_model(model, job, tokenizer, config, directory)
    return replace(result, ffn=changes.ffn, layers_removed=changes.layers_removed)


def _prune_vocabulary(spec: CompressionSpec, directory: Path) -> ModelResult:
    """Remove the tokens that neither the training text nor the teacher's translations use."""
    paths = spec.run.paths
    before = tokenizers.load(spec.parent.parent / "tokenizer")
    store = LabelStore(labels_of(spec.run, paths))
    train = prepare.load_split(paths.corpus, "train")
    targets = [*prepare.load_training_pairs(paths.corpus)["target"].to_pylist(), *store.hypotheses()]
    vocabulary_ids = vocabulary.used_vocabulary(before, train["source"].to_pylist(), targets, spec.least_uses)
    tokenizer = vocabulary.prune_tokenizer(before, vocabulary_ids, paths.tokenizer)
    model = vocabulary.prune_model(load_model(spec.parent), vocabulary_ids)
    save_model(model, tokenizer, directory)
    pieces = [len(before.source.tokens), len(vocabulary_ids.source)]
    return ModelResult(parameters=parameter_count(model), pieces=pieces)


def apply_cut(
    model: Seq2SeqModel, spec: CompressionSpec, measured: importance.CalibrationSample
) -> tuple[Seq2SeqModel, ModelResult]:
    """The model without its least important parts, and which these are."""
    cut = spec.cut
    if cut == "ffn":
        widths: dict[str, int] = {stack: _narrower(model.dimensions.stack(stack).ffn_dim, spec.ffn) for stack in STACKS}
        units = importance.contributions(model, measured)
        return narrow_ffn(model, widths["encoder"], widths["decoder"], units), ModelResult(ffn=widths)
    if cut in STACKS:
        layers = {stack: model.dimensions.stack(stack).layers - (stack == cut) for stack in STACKS}
        chosen = importance.choose_layers(model, layers["encoder"], layers["decoder"], measured)
        removed = [{"stack": stack, "layer": layer, "cross_entropy": loss} for stack, layer, loss in chosen.removed]
        return drop_layers(model, chosen.encoder_keep, chosen.decoder_keep), ModelResult(layers_removed=removed)
    return rebuild(model, model.dimensions, model.state_dict()), ModelResult()  # loaded models are not trainable


def _fine_tuning_config(config: TrainingConfig, updates: int, rate: float) -> TrainingConfig:
    """Settings of the recovery training: a lower learning rate, so that the model forgets little."""
    return replace(
        config,
        max_steps=updates,
        max_seconds=None,
        patience=0,
        learning_rate=config.learning_rate * rate,
        warmup_steps=min(config.warmup_steps, max(1, updates // 10)),
        eval_steps=max(1, math.ceil(updates / 4)),
    )


def export_variant(config: RunConfig, model: Path, variant: Variant, path: Path) -> None:
    """Export a model of a run directory as CTranslate2, optionally with a shortlist and packed."""
    export_model(config, RunPaths(model.parent), model.name, variant.compute_type, path, variant.bits)
    if variant.shortlist:
        # Resolve links: the same directories share one alignment, which takes a minute.
        paths = RunPaths(model.parent)
        _shortlist(labels_of(config, paths).resolve(), paths.tokenizer.resolve()).write(path)
    if variant.packed:
        pack(path)


@functools.cache
def _shortlist(labels: Path, tokenizer: Path) -> Shortlist:
    """The shortlist from a run's labels, without the tokens that a tokenizer lacks."""
    full_tokenizer, model_tokenizer = (
        tokenizers.load(path) for path in (labels.resolve().parent / "tokenizer", tokenizer)
    )
    config = ShortlistConfig()
    full_shortlist = shortlist.build(
        shortlist.label_pairs(LabelStore(labels), full_tokenizer, config), full_tokenizer, config
    )
    source, target = set(model_tokenizer.source.tokens), set(model_tokenizer.target.tokens)
    by_piece = {
        token: [p for p in candidates if p in target]
        for token, candidates in full_shortlist.by_piece.items()
        if token in source
    }
    return replace(
        full_shortlist, always=[token for token in full_shortlist.always if token in target], by_piece=by_piece
    )


def score_export(config: RunConfig, path: Path, split: str, beam_size: int) -> dict[str, Any]:
    """Scores and translations of an export on a split of the corpus; stored in a file next to it.

    Args:
        config: the run.
        path: the export.
        split: `valid` or `test`.
        beam_size: 1 is greedy.
    """
    file = path.parent / f"{split}-beam{beam_size}.json"
    if not file.exists():
        table = prepare.load_split(config.paths.corpus, split)
        lines = load_translation_model(path, threads=1, workers=cores()).translate(
            table["source"].to_pylist(), beam_size
        )
        scores = quality.score(lines, table["target"].to_pylist(), config.corpus.target)
        write_json(file, {"scores": asdict(scores), "translations": lines})
    return dict(read_json(file))


def updates_of(student: Path) -> int:
    """Updates of a model."""
    return read_result(ModelResult, student).updates or 0
