"""Translating a corpus into a label store, against CTranslate2 alone on the same model; both in one process."""

from __future__ import annotations

import time
from pathlib import Path

import ctranslate2
import pyarrow as pa
from arms.common import Spec, sequences
from turns import Arm, Results, run, table, write
from workload import SMALL, add_model

from distilmt.config import LabelConfig
from distilmt.data.tokenizer import Tokenizer, load
from distilmt.labels.ensemble import DECODE_TOKENS, LabelingTask
from distilmt.labels.store import LabelStore
from distilmt.labels.writer import write_label_store
from distilmt.utils.hardware import cores

SENTENCES = 6000
SIDES = ("source", "target")
KEYS = {"target tokens/s": ("tokens_per_second", 1, 0), "seconds": ("seconds", 1, 1)}


def main(work: Path, rounds: int, command: str) -> None:
    tokenizer = load(work / "tokenizer")
    teacher = _teacher(work, tokenizer)
    sentences = _sentences(work, SENTENCES)
    actual: Results = {"CTranslate2": [], "labels, hypotheses": []}
    config = LabelConfig(top_k=0, score_on="reference")
    job = LabelingTask(teacher, tokenizer, config, "en", "de", needs_top_k=False)
    store = work / "labels"
    for number in range(rounds + 1):
        for file in store.glob("*.*"):  # the exported teacher, a directory, is reused
            file.unlink()
        ours = _label(sentences, job, store)
        raw = _raw(store / f"teacher-{config.compute_type}", work, config)
        if number:  # the first round exports the teacher, and warms up
            actual["labels, hypotheses"].append(ours)
            actual["CTranslate2"].append(raw)
    note = f"{SENTENCES} sentences, 3+3, d=256, beam {config.beam_size}, {config.compute_type}, {cores()} threads"
    write("labelling", command, [note, table(actual, KEYS, "CTranslate2", "tokens_per_second")], actual)


def _teacher(work: Path, tokenizer: Tokenizer) -> Path:
    """A teacher that generates `</s>`: random weights would generate up to the last position."""
    teacher = work / "trained-teacher"
    if not (teacher / "model.safetensors").exists():
        spec = Spec(str(work), updates=600, save=str(teacher), bf16=True, optimizer="muon", learning_rate=0.003)
        add_model(work, "model", SMALL, tokenizer)
        run(Arm("teacher", "own", spec))
        tokenizer.copy_to(teacher)
    return teacher


def _sentences(work: Path, count: int) -> pa.Table:
    tokenizer = load(work / "tokenizer")
    sides = [tokenizer.source, tokenizer.target]
    texts = [side.decode(sequences(str(work), "train", name)[:count]) for side, name in zip(sides, SIDES, strict=True)]
    return pa.table({"id": [str(i) for i in range(len(texts[0]))], "source": texts[0], "target": texts[1]})


def _label(sentences: pa.Table, job: LabelingTask, store: Path) -> dict[str, float]:
    begin = time.perf_counter()
    size = job.config.shard_size
    write_label_store((sentences.slice(i, size) for i in range(0, SENTENCES, size)), SENTENCES, job, store)
    seconds = time.perf_counter() - begin
    tokens = sum(len(h[0]["tokens"]) for h in LabelStore(store).column("hypotheses"))
    return {"tokens_per_second": tokens / seconds, "seconds": seconds, "tokens": tokens}


def _raw(model: Path, work: Path, config: LabelConfig) -> dict[str, float]:
    """CTranslate2's own `translate_batch` on tokenized text: nothing is written or detokenized."""
    pieces = load(work / "tokenizer").source.tokens
    sources = [[pieces[i] for i in row] for row in sequences(str(work), "train", "source")[:SENTENCES]]
    translator = ctranslate2.Translator(str(model), inter_threads=cores(), intra_threads=1)
    begin = time.perf_counter()
    actual = translator.translate_batch(
        sources,
        beam_size=config.beam_size,
        max_batch_size=DECODE_TOKENS,
        batch_type="tokens",
        max_decoding_length=127,
        return_scores=True,
    )
    seconds = time.perf_counter() - begin
    tokens = sum(len(result.hypotheses[0]) + 1 for result in actual)
    return {"tokens_per_second": tokens / seconds, "seconds": seconds, "tokens": tokens}
