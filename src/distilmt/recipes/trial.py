"""`distilmt trial`: what a teacher does with a few sentences, before all of them are labeled and paid for.

The sentences are some of those that the run labels, with the same settings: the run reuses the responses of a server.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from distilmt.config import RunConfig
from distilmt.config.commands import TrialConfig
from distilmt.data import prepare
from distilmt.evaluation.quality import score, sentence_chrf
from distilmt.inference.base import DecodingOptions, Hypothesis
from distilmt.labels.ensemble import TeacherEnsemble
from distilmt.pipeline import preflight, runner
from distilmt.pipeline.steps.references import translation_task
from distilmt.pipeline.steps.train import labeled_mask, request_examples
from distilmt.report.trial import Agreement, TeacherTrial, WholeText, reasons_against
from distilmt.teachers import existing
from distilmt.teachers.openai import OpenAI
from distilmt.teachers.remote import RemoteTeacher
from distilmt.teachers.response_counts import ISSUES, USABLE
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, write_json

_SAMPLED_SENTENCES, _TEMPERATURE = 30, 0.7
_EXAMPLES = 5


def run(config: TrialConfig, run_config: RunConfig) -> TeacherTrial:
    """Translate some sentences, and judge the translations; the result is stored in `trial/trial.json`.

    Raises:
        UserError: the run trains its teacher, or the teacher or the text cannot be used.
    """
    if not run_config.teacher.named:
        raise UserError("the run trains its teacher: set teacher.url, teacher.command or teacher.path for a trial")
    preflight.check(run_config, exporting=False)
    path = run_config.paths.trial / "trial.json"
    with runner.open_run(run_config, whole=False):
        runner.execute_step("corpus", run_config)
        earlier = cast(TeacherTrial, read_json(path)) if path.exists() else None
        trial = _measured(config, run_config, earlier)
        trial["reasons"] = reasons_against(trial, config.max_failures, config.min_agreement)
        trial["verdict"] = "no" if trial["reasons"] else "yes"
        write_json(path, trial)
    return trial


def _measured(config: TrialConfig, run_config: RunConfig, earlier: TeacherTrial | None) -> TeacherTrial:
    """The trial without its verdict; what is measured by requests is the earlier one's if all responses are stored."""
    corpus, directory = run_config.paths.corpus, run_config.paths.trial
    total = prepare.count_rows(corpus, "train")
    sentences = _sentences(run_config, min(config.sentences, total))
    ensemble = _teacher(run_config, directory)
    sources, references = sentences["source"].to_pylist(), sentences["target"].to_pylist()
    begin = time.monotonic()
    n_best_lists = ensemble.translate(sources)
    seconds = time.monotonic() - begin
    usage = _usage(ensemble)
    trial = TeacherTrial(
        teacher=str(run_config.teacher.named),
        sentences=len(sources),
        failed=sum(not n_best for n_best in n_best_lists),
        kinds={kind: count for kind, count in usage.items() if kind in ISSUES and kind not in USABLE and count},
        removed={kind: count for kind, count in usage.items() if kind.startswith("removed_") and count},
        agreement=_agreement(n_best_lists, references, run_config),
        sentences_per_second=len(sources) / seconds,
        cost=usage.get("cost"),
        whole=WholeText(sentences=0, seconds=None, cost=None),
        budget=run_config.teacher.endpoint.budget or None,
        examples=[[s, n[0].text] for s, n in zip(sources, n_best_lists, strict=True) if n][:_EXAMPLES],
        reasons=[],
        verdict="",
    )
    if trial["agreement"] is None:
        trial["agreement"] = _agreement_of_samples(ensemble, sources)
    if usage.get("requests") == 0:  # all responses were stored
        _take_requests(trial, earlier)
    trial["whole"] = _whole(trial, min(run_config.labels.max_sentences or total, total))
    return trial


def _sentences(config: RunConfig, count: int) -> pa.Table:
    """The first of the sentences that the run labels."""
    flags = labeled_mask(config, prepare.count_rows(config.paths.corpus, "train"), config.labels.max_sentences)
    flags[np.flatnonzero(flags)[count:]] = False
    return pa.concat_tables(prepare.iter_selected(config.paths.corpus, "train", flags, count))


def _teacher(config: RunConfig, directory: Path) -> TeacherEnsemble:
    """The teacher with the settings of the run's labels, without top-k probabilities."""
    directory.mkdir(exist_ok=True)
    pair = (config.corpus.source, config.corpus.target)
    existing.write_pointer(config.teacher, pair, directory, request_examples(config, directory))
    task = translation_task(config, directory)
    labels = replace(config.labels, num_hypotheses=max(1, config.labels.num_hypotheses), top_k=0, ensemble=[])
    return TeacherEnsemble(replace(task, config=labels), directory / "translation_model")


def _usage(ensemble: TeacherEnsemble) -> dict[str, float]:
    """What a server counted in this process; empty for another teacher."""
    model = ensemble.models[0]
    return model.backend.usage() if isinstance(model, RemoteTeacher) and model.backend.usage() else {}


def _agreement(
    n_best_lists: Sequence[Sequence[Hypothesis]], references: Sequence[str | None], config: RunConfig
) -> Agreement | None:
    """With the references, or else of the first two translations of each sentence; None without either."""
    pairs = [(n[0].text, r) for n, r in zip(n_best_lists, references, strict=True) if n and r]
    if pairs:
        scores = score([text for text, _ in pairs], [reference for _, reference in pairs], config.corpus.target)
        return Agreement(chrf=scores.chrf, bleu=scores.bleu, between="references", sentences=len(pairs))
    return _agreement_of_pairs(n_best_lists)


def _agreement_of_pairs(n_best_lists: Sequence[Sequence[Hypothesis]]) -> Agreement | None:
    pairs = [n for n in n_best_lists if len(n) > 1]
    if not pairs:
        return None
    values = sentence_chrf([pair[0].text for pair in pairs], [pair[1].text for pair in pairs])
    return Agreement(chrf=sum(values) / len(values), bleu=None, between="samples", sentences=len(pairs))


def _agreement_of_samples(ensemble: TeacherEnsemble, sources: Sequence[str]) -> Agreement | None:
    """Of two samples of a language model for each of some sentences; equal samples agree wholly."""
    model = ensemble.models[0]
    if not (isinstance(model, RemoteTeacher) and isinstance(model.backend, OpenAI)):
        return None
    options = DecodingOptions(num_hypotheses=2, sampling_temperature=_TEMPERATURE)
    samples = [n for n in model.hypotheses(sources[:_SAMPLED_SENTENCES], options) if n]
    return _agreement_of_pairs([[n[0], n[-1]] for n in samples])


def _take_requests(trial: TeacherTrial, earlier: TeacherTrial | None) -> None:
    """Replace what needs requests by the earlier measurement, or by nothing."""
    trial["kinds"], trial["removed"] = (earlier["kinds"], earlier["removed"]) if earlier else ({}, {})
    trial["sentences_per_second"] = earlier["sentences_per_second"] if earlier else None
    trial["cost"] = earlier["cost"] if earlier else None


def _whole(trial: TeacherTrial, sentences: int) -> WholeText:
    """What labeling all sentences takes at the pace and price of the trial."""
    rate, cost = trial["sentences_per_second"], trial["cost"]
    return WholeText(
        sentences=sentences,
        seconds=sentences / rate if rate else None,
        cost=None if cost is None else cost * sentences / max(1, trial["sentences"]),
    )
