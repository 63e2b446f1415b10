"""The contamination report: clean text gives no finding, planted faults are counted."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import CleaningConfig, CorpusConfig
from distilmt.data.contamination import Contamination, Inspector, findings
from distilmt.data.pairs import Pair
from distilmt.data.prepare import prepare
from distilmt.utils.errors import UserError

WORDS = {
    "the": "der", "a": "ein", "house": "Haus", "small": "klein", "bicycle": "Fahrrad", "green": "grün", "and": "und",
    "runs": "läuft", "window": "Fenster", "street": "Straße", "beautiful": "schön", "girl": "Mädchen", "of": "von",
    "photograph": "Fotografie", "sits": "sitzt", "on": "auf", "mountain": "Berg", "overlooks": "überblickt",
}  # fmt: skip
seeds = st.integers(0, 10_000)


def clean(count: int, seed: int) -> list[Pair]:
    """Distinct sentences of two to twelve words, translated word by word."""
    rng = random.Random(seed)
    pairs = []
    for line in range(1, count + 1):
        words = rng.choices(list(WORDS), k=rng.randint(2, 12))
        number = [str(line)] if line % 7 == 0 else []
        pairs.append(Pair(line, " ".join([*words, *number]), " ".join([*(WORDS[word] for word in words), *number])))
    return pairs


def inspected(pairs: list[Pair], monolingual: bool = False) -> Contamination:
    inspector = Inspector(monolingual=monolingual)
    assert list(inspector.watch(pairs)) == pairs
    return inspector.contamination()


@settings(max_examples=12)
@given(seeds, st.sampled_from([0, 1, 59, 60, 300, 700]))
def test_clean_text_has_no_finding(seed: int, count: int) -> None:
    contamination = inspected(clean(count, seed))
    assert contamination["inspected"] == count and findings(contamination) == []
    assert (contamination["mojibake"]["count"], contamination["copies"]["count"]) == (0, 0)


@settings(max_examples=12)
@given(seeds, st.sampled_from([-3, -2, -1, 1, 2, 3]), st.integers(0, 500))
def test_lines_that_are_shifted_against_each_other(seed: int, offset: int, start: int) -> None:
    pairs = clean(1000, seed)
    shifted = [
        pair if index < start else pair._replace(target=pairs[(index - offset) % len(pairs)].target)
        for index, pair in enumerate(pairs)
    ]
    (lines,) = inspected(shifted)["shifted"]
    assert lines["offset"] == offset and lines["last_line"] == 1000
    assert start - 125 <= lines["first_line"] <= start + 250
    assert lines["correlation"] > lines["correlation_in_place"]


@settings(max_examples=12)
@given(seeds, st.integers(3, 40))
def test_planted_pairs_are_counted(seed: int, amount: int) -> None:
    pairs = clean(400, seed)
    chosen = sorted(random.Random(seed).sample(range(400), amount))
    for index in chosen:
        pairs[index] = pairs[index]._replace(target=f"Größe {index}".encode().decode("cp1252"))
    contamination = inspected(pairs)
    assert contamination["mojibake"]["count"] == amount
    assert contamination["mojibake"]["examples"][0]["line"] == chosen[0] + 1
    assert contamination["mojibake"]["examples"][0]["repaired"] == f"Größe {chosen[0]}"
    for index in chosen:
        pairs[index] = pairs[index]._replace(target=pairs[index].source.upper() + "!")
    contamination = inspected(pairs)
    assert contamination["copies"]["count"] == amount
    assert any("copied from the source" in finding for finding in findings(contamination))


def test_one_target_of_many_sources() -> None:
    pairs = [pair._replace(target="Weitere Informationen.") if pair.line % 10 == 0 else pair for pair in clean(500, 1)]
    (target,) = inspected(pairs)["constant_targets"]
    assert (target["target"], target["sources"], target["share"]) == ("Weitere Informationen.", 50, 0.1)
    same = [Pair(line, "Read more.", "Mehr lesen.") for line in range(1, 500)]
    assert inspected(same)["constant_targets"] == []


def test_monolingual_text_and_the_blocks_of_a_long_one() -> None:
    text = [Pair(line, f"Das MÃ¤dchen Nummer {line}.", "") for line in range(1, 11)]
    assert inspected(text, monolingual=True)["mojibake"]["count"] == 10
    long = inspected([Pair(line, f"sentence {line}", f"Satz {line}") for line in range(1, 60_001)])
    assert long["inspected"] == 11_000 and findings(long) == []


def test_the_report_of_a_corpus(tmp_path: Path, messages: list[str]) -> None:
    pairs = [(f"small sentence {n} of the text", f"kleiner Satz {n} des Textes") for n in range(300)]
    test = [("small sentence 7 of the text", "etwas anderes"), ("Unseen.", "Ungesehen.")]
    pairs[40:60] = [(f"girl number {n}", f"MÃ¤dchen Nummer {n}") for n in range(40, 60)]
    names = {}
    for split, rows in (("train", pairs), ("test", test)):
        names[split] = [str(tmp_path / f"{split}.{side}") for side in ("en", "de")]
        for side, name in enumerate(names[split]):
            Path(name).write_text("".join(f"{row[side]}\n" for row in rows), encoding="utf-8")
    config = CorpusConfig(target="de", valid_size=20, **names)
    prepare(config, 1, tmp_path / "clean")
    report = json.loads((tmp_path / "clean" / "contamination.json").read_text())
    assert report["sources"]["train"]["mojibake"]["count"] == 20 and report["overlap"] == {"dropped": 1, "remaining": 0}
    assert any("6.7 % of the pairs are decoded with a wrong encoding (first: line 41)" in text for text in messages)
    assert "Contamination, before cleaning" in (tmp_path / "clean" / "card.md").read_text()
    config.cleaning = CleaningConfig(drop_duplicates=False)
    prepare(config, 1, tmp_path / "kept")
    report = json.loads((tmp_path / "kept" / "contamination.json").read_text())
    assert report["overlap"]["dropped"] == 0 and report["overlap"]["remaining"] == 1
    assert any("share a side with valid or test" in text for text in messages)


def test_a_sibling_language_under_one_code() -> None:
    pytest.importorskip("py3langid")
    danish = "Jeg ved ikke, hvad han mener, men jeg synes, at vi skal spørge hende i morgen tidlig."
    english = "I do not know what he means, but I think that we should ask her early tomorrow."
    inspector = Inspector(("en", "de"))
    texts = [(english, danish if line % 2 else "Ich weiß nicht, was er meint, aber wir fragen sie morgen früh.")
             for line in range(20)]  # fmt: skip
    list(inspector.watch(Pair(line, f"{line} {en}", f"{line} {de}") for line, (en, de) in enumerate(texts)))
    evidence = inspector.contamination()["languages"]
    assert evidence["source"]["others"] == {} and evidence["source"]["expected_share"] == 1
    assert set(evidence["target"]["others"]) <= {"da", "no", "nb"} and sum(evidence["target"]["others"].values()) == 0.5


def test_languages_need_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr("distilmt.data.language_evidence.language_identifier", missing)
    (tmp_path / "a.tsv").write_text("a\tb\n")
    with pytest.raises(UserError, match="identify_languages needs py3langid"):
        prepare(CorpusConfig(train=[str(tmp_path / "a.tsv")], identify_languages=True), 1, tmp_path / "out")
