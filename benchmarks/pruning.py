"""Cost of pruning before any further training: layers, feed-forward units, heads, single weights, vocabulary.

    python benchmarks/pruning.py RUN_DIR MODEL > benchmarks/results/pruning.md

RUN_DIR is a run with corpus and tokenizer, MODEL a model directory with that tokenizer; neither is changed. Importance
is measured on training pairs, layers are selected on validation pairs. The figures are greedy BLEU on all validation
sentences through CTranslate2 in float32, and cross-entropy on some of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from distilmt.compression import importance, vocabulary
from distilmt.compression.importance import CalibrationSample
from distilmt.compression.magnitude import magnitude, storage
from distilmt.compression.pruning import drop_layers, lowest_heads, mask_heads, narrow_ffn
from distilmt.data import prepare
from distilmt.data.tokenizer import EOS, Tokenizer, load
from distilmt.evaluation.quality import score
from distilmt.export.ctranslate2 import export
from distilmt.inference.translator import Translator
from distilmt.models.base import Seq2SeqModel
from distilmt.models.checkpoint import load_model
from distilmt.models.initialization import spaced_layers
from distilmt.models.marian import marian_network
from distilmt.models.presets import parameter_count
from distilmt.teachers.forced_decoding import force_decode
from distilmt.utils.hardware import cores
from distilmt.utils.machine_info import machine

MEASURES = {
    "contributions": importance.contributions,
    "activations": importance.mean_activations,
    "norms": lambda model, _: importance.norms(model),
    "taylor": importance.taylor_units,
}


class Judge:
    """A run's sentence pairs, and the evaluation of a model on them."""

    def __init__(self, run: Path, language: str) -> None:
        self.language, self.tokenizer = language, load(run / "tokenizer")
        self.train, self.valid = (
            tuple(prepare.load_split(run / "corpus", split)[side].to_pylist() for side in ("source", "target"))
            for split in ("train", "valid")
        )
        self.on_train, self.on_valid = (
            CalibrationSample(importance.sample(importance.pairs(self.tokenizer, *texts, 128), batches))
            for texts, batches in ((self.train, 4), (self.valid, 2))
        )

    def translations(self, model: Seq2SeqModel, tokenizer: Tokenizer) -> list[str]:
        with tempfile.TemporaryDirectory() as root:
            export(marian_network(model), tokenizer, Path(root) / "ct2", "float32")
            return Translator(Path(root) / "ct2", threads=1, workers=cores()).translate(self.valid[0], beam_size=1)

    def line(self, name: str, model: Seq2SeqModel) -> str:
        """A row of the table: parameters, BLEU, cross-entropy, and translation length relative to the references."""
        result = self.translations(model, self.tokenizer)
        length = sum(map(len, result)) / sum(map(len, self.valid[1]))
        bleu, loss = score(result, self.valid[1], self.language).bleu, importance.cross_entropy(model, self.on_valid)
        parameters = sum(p.numel() for p in model.parameters() if p.dim() != 2) + sum(
            m.numel() for m in model.matrices()
        )
        return f"| {name} | {parameters:,} | {bleu:.2f} | {loss:.3f} | {length:.2f} |"


def lines(model: Seq2SeqModel, judge: Judge) -> Iterator[str]:
    dimensions = model.dimensions
    yield judge.line("whole", model)
    for share in (2, 4):
        widths = dimensions.encoder.ffn_dim // share, dimensions.decoder.ffn_dim // share
        for name, measure in MEASURES.items():
            narrow = narrow_ffn(model, *widths, measure(model, judge.on_train))
            yield judge.line(f"feed-forward {widths[0]} and {widths[1]}, {name}", narrow)
    heads = importance.taylor_heads(model, judge.on_train)
    count = sum(scores.numel() for scores in heads.values())
    for share in (5, 2):
        yield judge.line(
            f"{count // share} of {count} heads masked", mask_heads(model, lowest_heads(heads, count // share))
        )
    for scope in ("model", "matrix"):
        for share in (0.4, 0.6, 0.8):
            sparse = magnitude(model, share, scope)
            taken = storage(sparse)
            bytes_ = f"{taken.dense:,} bytes dense, {taken.indexed:,} indexed, {taken.bitmap:,} with a bitmap"
            yield judge.line(f"{share:.0%} of the weights zero, by {scope} ({bytes_})", sparse)
    total = dimensions.encoder.layers, dimensions.decoder.layers
    for expected in ((total[0] - 1, total[1]), (total[0], total[1] - 1), (total[0] - 2, total[1] - 3)):
        if min(expected) < 1:
            continue
        chosen = importance.choose_layers(model, *expected, CalibrationSample(judge.on_valid.batches[:1]))
        spaced = [spaced_layers(n, of) for n, of in zip(expected, total, strict=True)]
        for name, keep in (("chosen", [chosen.encoder_keep, chosen.decoder_keep]), ("evenly", spaced)):
            yield judge.line(f"layers {keep[0]} and {keep[1]}, {name}", drop_layers(model, *keep))


def pieces(model: Seq2SeqModel, judge: Judge) -> Iterator[str]:
    whole = judge.translations(model, judge.tokenizer)
    for name, texts in (("training", judge.train), ("validation", judge.valid)):
        for least_often in (1, 5, 20):
            remaining = vocabulary.used_vocabulary(judge.tokenizer, *texts, least_often)
            with tempfile.TemporaryDirectory() as root:
                after = vocabulary.prune_tokenizer(judge.tokenizer, remaining, Path(root))
                small = vocabulary.prune_model(model, remaining)
                result = judge.translations(small, after)
                cut = vocabulary.retokenized_share(judge.tokenizer.source, after.source, judge.valid[0])
            same = sum(a == b for a, b in zip(result, whole, strict=True)) / len(whole)
            bleu = score(result, judge.valid[1], judge.language).bleu
            size = f"{len(remaining.target):,} | {parameter_count(small):,}"
            yield f"| {name}, at least {least_often} times | {size} | {bleu:.2f} | {same:.1%} | {cut:.1%} |"


def ends(model: Seq2SeqModel, judge: Judge) -> str:
    """Confidence of the model in `</s>`: where it is certain, gradients are nearly zero."""
    result = force_decode(model, judge.tokenizer, *(texts[:500] for texts in judge.train))
    at_end = result.ids == EOS
    end, elsewhere = result.nll[at_end].mean(), result.nll[~at_end].mean()
    return f"Cross-entropy on 500 training pairs: {end:.4f} at </s>, {elsewhere:.4f} elsewhere."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--language", default="de", help="target language of the run")
    given = parser.parse_args()
    judge, model = Judge(given.run, given.language), load_model(given.model)
    print(f"`python {' '.join(sys.argv)}`, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {json.dumps(machine())}\n")
    rises = importance.layer_rises(model, judge.on_valid)
    for stack, result in rises.items():
        print(f"Rise of the cross-entropy without a layer, {stack}: {', '.join(f'{rise:.3f}' for rise in result)}.\n")
    print(ends(model, judge), "\n")
    print("| | parameters | BLEU | cross-entropy | length |\n|---|---:|---:|---:|---:|", flush=True)
    for line in lines(model, judge):
        print(line, flush=True)
    print("\n| pieces used in | pieces | parameters | BLEU | same translations | sources cut otherwise |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for line in pieces(model, judge):
        print(line, flush=True)


if __name__ == "__main__":
    main()
