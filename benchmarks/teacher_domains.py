"""English-Italian models on three kinds of text: package descriptions, program messages, a game's dialogues.

    python benchmarks/teacher_domains.py [--model NAME=DIRECTORY ...] [--sentences 1000] [--name teacher-domains]

Always measured: the teacher and the student that are installed with distilmt. The sentences of descriptions and of
messages are from source packages that the data sets `debian` and `debian-messages` hold out for testing. The dialogues
are those of Fish Fillets (Debian's package fillets-ng-data, 71 MB to download), in no training text.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from turns import write

from distilmt.data import tokenizer as tokenizers
from distilmt.data.cleaning import hash64, split_words
from distilmt.data.readers import apt, apt_packages, debian, debian_messages
from distilmt.data.readers.debian import AlignedSentence
from distilmt.data.splitting import split_by_package
from distilmt.evaluation.quality import TranslationScores, score
from distilmt.export.formats import export_for_translation
from distilmt.inference.base import TranslationModel
from distilmt.inference.manifest import has_manifest
from distilmt.models.checkpoint import load_model
from distilmt.teachers.remote import load_translation_model
from distilmt.utils import pretrained

SOURCE, TARGET = pretrained.PAIR.split("-")
BEAM = 4
GAME = "fillets-ng-data"
DIALOGUE = re.compile(r'dialogId\("[^"]*",\s*"[^"]*",\s*"((?:[^"\\]|\\.)*)"\)\s*dialogStr\("((?:[^"\\]|\\.)*)"\)')


class EvaluationSet(NamedTuple):
    sources: list[str]
    references: list[str]


def held_out(records: list[AlignedSentence], size: int) -> EvaluationSet:
    pairs = split_by_package(records, 0, size).test or []
    return EvaluationSet([pair.source for pair in pairs], [pair.target for pair in pairs])


def dialogues(cache: Path, size: int) -> EvaluationSet:
    """Lines of the game with two words or more, chosen by their hash."""
    lines: dict[str, str] = {}
    with apt.locked_cache(cache), apt_packages.downloaded([GAME], cache) as (package,):
        for _, script in apt_packages.files(package.path, re.compile(rf".*/script/.*/dialogs_{TARGET}\.lua")):
            for match in DIALOGUE.finditer(script.decode()):
                source, target = (text.replace("\\", "") for text in match.groups())
                if source != target and min(len(split_words(source)), len(split_words(target))) > 1:
                    lines.setdefault(source, target)
    chosen = sorted(lines, key=hash64)[:size]
    return EvaluationSet(chosen, [lines[source] for source in chosen])


def evaluation_sets(size: int) -> dict[str, EvaluationSet]:
    cache = apt.default_cache()
    descriptions = debian.aligned_sentences(apt.fetch([SOURCE, TARGET], cache), SOURCE, TARGET)
    messages = debian_messages.fetch((SOURCE, TARGET), cache)
    return {
        "package descriptions": held_out(list(descriptions), size),
        "program messages": held_out(debian_messages.aligned_sentences(messages, SOURCE), size),
        "game dialogues": dialogues(cache, size),
    }


def opened(directory: Path, temporary: Path) -> TranslationModel:
    """An export, or a model directory in float32."""
    if not has_manifest(directory):
        export_for_translation(load_model(directory), tokenizers.load(directory), temporary, "float32")
        directory = temporary
    return load_translation_model(directory, threads=1, workers=1)


def measured(directory: Path, tests: dict[str, EvaluationSet]) -> dict[str, TranslationScores]:
    with tempfile.TemporaryDirectory() as temporary:
        model = opened(directory, Path(temporary) / "model")
        result = {}
        for name, test in tests.items():
            start = time.perf_counter()
            translations = model.translate(test.sources, beam_size=BEAM)
            result[name] = score(translations, test.references, TARGET)
            print(directory.name, name, f"{time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
            for example in list(zip(test.sources, test.references, translations, strict=True))[:3]:
                print(" | ".join(example), file=sys.stderr)
        return result


def table(scores: dict[str, dict[str, TranslationScores]], tests: dict[str, EvaluationSet]) -> str:
    heads = [f"{name} ({len(test.sources):,})" for name, test in tests.items()]
    lines = [f"| BLEU, chrF | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for model, row in scores.items():
        lines.append(f"| {model} | " + " | ".join(f"{each.bleu:.1f}, {each.chrf:.1f}" for each in row.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=DIRECTORY")
    parser.add_argument("--sentences", type=int, default=1000, help="most sentences of a test set")
    parser.add_argument("--name", default="teacher-domains", help="of the files in results/")
    chosen = parser.parse_args()
    models = {"built-in teacher": pretrained.TEACHER, "built-in student": pretrained.STUDENT}
    models |= {name: Path(directory) for name, directory in (each.split("=", 1) for each in chosen.model)}
    tests = evaluation_sets(chosen.sentences)
    scores = {name: measured(directory, tests) for name, directory in models.items()}
    signature = next(iter(next(iter(scores.values())).values()))
    note = f"Beam {BEAM}. BLEU `{signature.bleu_signature}`, chrF `{signature.chrf_signature}`. Teachers in float32."
    options = "".join(f" --model {name!r}=DIRECTORY" for name in list(models)[2:]) + f" --sentences {chosen.sentences}"
    data = {model: {name: asdict(each) for name, each in row.items()} for model, row in scores.items()}
    write(chosen.name, f"python benchmarks/teacher_domains.py{options}", [table(scores, tests), note], {"scores": data})


if __name__ == "__main__":
    main()
