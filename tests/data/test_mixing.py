import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distilmt.config import CleaningConfig, CorpusConfig, SourceConfig, loading
from distilmt.config.bounds import check_bounds
from distilmt.data.prepare import inputs, load_split, prepare
from distilmt.utils.errors import UserError


def jsonl(path: Path, count: int, name: str, **more: list[float]) -> str:
    rows = [{"en": f"{name} sentence {n}", "it": f"{name} frase {n}"} for n in range(count)]
    for key, values in more.items():
        rows = [row | {key: value} for row, value in zip(rows, values, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def ids(directory: Path, split: str = "train") -> list[str]:
    return load_split(directory, split)["id"].to_pylist()


def card(directory: Path) -> dict[str, dict[str, object]]:
    return {source["id"]: source for source in json.loads((directory / "card.json").read_text())["sources"]}


def test_weights(tmp_path: Path) -> None:
    sources = [
        SourceConfig([jsonl(tmp_path / "web.jsonl", 100, "web")], weight=0.5, license="CC0"),
        SourceConfig([jsonl(tmp_path / "in domain.jsonl", 10, "mine")], weight=2.5, id="mine"),
        SourceConfig([jsonl(tmp_path / "web.jsonl.gz", 5, "other").replace(".gz", "")]),
    ]
    sources[2].files = [jsonl(tmp_path / "b.jsonl", 5, "other")]
    config = CorpusConfig(train=[jsonl(tmp_path / "a.jsonl", 40, "train")], sources=sources, valid_size=2, test_size=2)
    summary = prepare(config, 1, tmp_path / "out")
    result = ids(tmp_path / "out")
    assert len(result) == len(set(result)) == summary.train == 36 + 50 + 25 + 5
    assert sum(name.startswith("web-") for name in result) == 50
    for n in range(1, 11):
        copies = [name for name in result if name.split(".")[0] == f"mine-{n:06d}"]
        assert copies in ([f"mine-{n:06d}", f"mine-{n:06d}.2"], [f"mine-{n:06d}", f"mine-{n:06d}.2", f"mine-{n:06d}.3"])
    assert all(
        name.startswith(("valid-0", "test-0")) for split in ("valid", "test") for name in ids(tmp_path / "out", split)
    )
    texts = dict(zip(result, load_split(tmp_path / "out", "train")["source"].to_pylist(), strict=True))
    assert all(texts[name] == f"web sentence {int(name[-6:]) - 1}" for name in result if name.startswith("web-"))
    message = card(tmp_path / "out")
    assert [(message[name]["read"], message[name]["train"]) for name in ("train", "web", "mine", "b")] == [
        (40, 36), (100, 50), (10, 25), (5, 5)
    ]  # fmt: skip
    assert message["web"]["dropped"]["not_drawn"]["count"] == 50
    assert (message["web"]["license"], message["b"]["license"]) == ("CC0", None)
    cleaning = json.loads((tmp_path / "out" / "cleaning.json").read_text())
    assert cleaning["train"]["read"] == 155
    assert cleaning["train"]["kept"] == 36 + 50 + 10 + 5
    assert cleaning["train: mine"]["repeated"] == 15
    prepare(config, 1, tmp_path / "again")
    assert ids(tmp_path / "again") == result
    prepare(config, 2, tmp_path / "other")
    assert ids(tmp_path / "other") != result
    assert "| web | `" in (tmp_path / "out" / "card.md").read_text()


def test_most_of_all_sources(tmp_path: Path) -> None:
    sources = [SourceConfig([jsonl(tmp_path / "b.jsonl", 50, "b")], weight=2.0)]
    config = CorpusConfig(
        train=[jsonl(tmp_path / "a.jsonl", 50, "a")], sources=sources, max_train=60, valid_size=1, test_size=1
    )
    assert prepare(config, 1, tmp_path / "out").train == 60
    result = ids(tmp_path / "out")
    assert len(set(result)) == 60
    message = json.loads((tmp_path / "out" / "cleaning.json").read_text())["train"]
    assert message["kept"] + message.get("repeated", 0) == 60


def test_sources_alone_and_scores(tmp_path: Path) -> None:
    table = [{"source": f"s {n}", "target": f"t {n}", "bicleaner": n / 20} for n in range(20)]
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "p.parquet")
    (tmp_path / "t.tsv").write_text("".join(f"a {n}\tb {n}\tx\t{n / 20}\n" for n in range(20)))
    sources = [
        SourceConfig([str(tmp_path / "p.parquet")], score="bicleaner", min_score=0.5),
        SourceConfig([str(tmp_path / "t.tsv")], score="4", min_score=0.25),
    ]
    config = CorpusConfig(sources=sources, valid_size=1, test_size=1)
    assert len(inputs(config)) == 2
    summary = prepare(config, 1, tmp_path / "out")
    assert summary.dropped == {"low_score": 15, "split_off": 2}
    assert {name.rsplit("-", 1)[0] for name in ids(tmp_path / "out")} == {"p", "t"}
    assert all(name.startswith(("valid-p-", "valid-t-")) for name in ids(tmp_path / "out", "valid"))


def test_the_best_of_pairs_with_the_same_target(tmp_path: Path) -> None:
    rows = [
        {"en": f"way {n} to say it", "it": "Lo stesso." if n % 2 else "lo stesso!", "qe": n / 50} for n in range(30)
    ]
    rows += [{"en": f"other {n}", "it": f"altro {n}", "qe": 0.1} for n in range(30)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = SourceConfig([str(tmp_path / "a.jsonl")], score="qe")
    config = CorpusConfig(sources=[source], cleaning=CleaningConfig(keep_best=True), valid_size=1, test_size=1)
    summary = prepare(config, 1, tmp_path / "out")
    assert summary.dropped["not_best"] == 29  # type: ignore[index]
    left = [
        row for split in ("train", "valid", "test") for row in load_split(tmp_path / "out", split)["source"].to_pylist()
    ]
    assert "way 29 to say it" in left
    with pytest.raises(UserError, match="keep_best needs scores"):
        prepare(CorpusConfig(train=[str(tmp_path / "a.jsonl")], cleaning=CleaningConfig(keep_best=True)), 1, tmp_path)


@pytest.mark.parametrize(
    ("name", "line", "score", "message"),
    [
        ("a.tsv", "a\tb\tc", "score", "column's number"),
        ("a.tsv", "a\tb\tc", "4", "line 1: has no column 4"),
        ("a.tsv", "a\tb\tgood", "3", "the score 'good' is not a number"),
        ("a.jsonl", '{"en": "a", "it": "b", "s": NaN}', "s", "is not a number"),
        ("a.jsonl", '{"en": "a", "it": "b", "s": [1]}', "s", "is not a number"),
        ("a.tmx", "x", "s", "has no column 's'"),
    ],
)
def test_bad_scores(tmp_path: Path, name: str, line: str, score: str, message: str) -> None:
    (tmp_path / name).write_text(line + "\n")
    with pytest.raises(UserError, match=message):
        prepare(CorpusConfig(sources=[SourceConfig([str(tmp_path / name)], score=score)]), 1, tmp_path / "out")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "set either files or dataset"),
        ({"dataset": "hf:a", "files": ["a"]}, "set either files or dataset"),
        ({"dataset": "hf:a", "min_score": 0.5}, "name the column"),
        ({"dataset": "hf:a", "id": "a-b"}, "id is 'a-b'"),
    ],
)
def test_bad_sources(keys: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        SourceConfig(**keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [0.0, -1.0, 101.0, float("nan"), float("inf")])
def test_weights_have_bounds(weight: float) -> None:
    with pytest.raises(UserError, match=r"^corpus\.sources\.weight is .*: it must be at least 0\.001 and at most 100$"):
        check_bounds(CorpusConfig(sources=[SourceConfig(dataset="hf:a", weight=weight)]), "corpus.")


def test_ids_are_unique(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", 30, "a")
    config = CorpusConfig(sources=[SourceConfig([path], id="x"), SourceConfig([path], id="x")])
    with pytest.raises(UserError, match="id 'x' is used twice"):
        inputs(config) and prepare(config, 1, tmp_path / "out")
    with pytest.raises(UserError, match="id 'train' is used twice"):
        prepare(CorpusConfig(sources=[SourceConfig([path], id="train")]), 1, tmp_path / "out")


def test_sources_from_a_file_and_from_flags(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "corpus:\n  sources:\n    - files: [a.en, a.it]\n      weight: 2\n"
        "    - dataset: opus:Books/v1\n      license: CC0\n"
    )
    expected = [SourceConfig(["a.en", "a.it"], weight=2.0), SourceConfig(dataset="opus:Books/v1", license="CC0")]
    assert loading.load([str(tmp_path / "a.yaml")]).corpus.sources == expected
    flags = ["--corpus.sources", '[{"files": ["a.tmx"], "weight": 0.5}]']
    assert loading.load(flags).corpus.sources == [SourceConfig(["a.tmx"], weight=0.5)]
    for text, message in (
        ("weigth: 2", "weigth"),
        ("weight: 0", "weight is 0"),
        ("weight: many", "^corpus.sources.weight is many"),
    ):
        (tmp_path / "b.yaml").write_text(f"corpus:\n  sources:\n    - files: [a.tmx]\n      {text}\n")
        with pytest.raises(UserError, match=message):
            loading.load([str(tmp_path / "b.yaml")])
