import gzip
import json
import shutil
from pathlib import Path

import pytest

from distilmt.config import CleaningConfig, CorpusConfig
from distilmt.data.cleaning import key
from distilmt.data.prepare import inputs, load_split, prepare
from distilmt.utils.errors import UserError

DATA = Path(__file__).parents[3] / "shared" / "data"


def write(folder: Path, name: str, pairs: list[tuple[str, str]]) -> list[str]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.en", folder / f"{name}.it"]
    for side, path in enumerate(paths):
        path.write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")
    return [str(path) for path in paths]


def many(count: int, name: str = "train") -> list[tuple[str, str]]:
    return [(f"{name} sentence number {n}", f"frase {name} numero {n}") for n in range(count)]


def rows(directory: Path, split: str) -> list[tuple[str, str, str]]:
    table = load_split(directory, split)
    assert table.column_names == ["id", "source", "target"]
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_split_off_at_random(tmp_path: Path) -> None:
    pairs = [*many(500), ("train sentence number 3", "un'altra traduzione"), ("", "vuota"), ("a", "a")]
    config = CorpusConfig(train=write(tmp_path, "a", pairs), valid_size=20, test_size=1000)
    summary = prepare(config, 1, tmp_path / "out")
    train, valid, test = (rows(tmp_path / "out", split) for split in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (summary.train, summary.valid, summary.test)
    assert (len(valid), len(test)) == (20, 50)
    assert not {key(row[1]) for row in train} & {key(row[1]) for row in [*valid, *test]}
    for name, source, target in [*train, *valid, *test]:
        assert pairs[int(name.split("-")[1]) - 1] == (source, target)
    assert (train[0][0].split("-")[0], valid[0][0].split("-")[0]) == ("train", "valid")
    dropped = summary.dropped
    assert isinstance(dropped, dict)
    assert (dropped["empty"], dropped["identical"], dropped["split_off"]) == (1, 1, 70)
    assert summary.read == 503 == len(train) + sum(dropped.values())
    prepare(config, 2, tmp_path / "other")
    assert rows(tmp_path / "other", "test") != test
    prepare(config, 1, tmp_path / "again")
    assert rows(tmp_path / "again", "train") == train


def test_fewer_held_out_pairs_than_required_are_reported(tmp_path: Path, messages: list[str]) -> None:
    config = CorpusConfig(train=write(tmp_path, "a", many(300)), valid_size=200, test_size=20)
    prepare(config, 1, tmp_path / "out")
    assert len(messages) == 1 and "corpus.valid_size is 200, but 30 pairs are held out" in messages[0]


def test_named_files_are_preserved(tmp_path: Path) -> None:
    odd = [("train sentence number 7", "x"), ("", ""), (" two  spaces ", "y"), ("same", "same"), ("same", "same")]
    config = CorpusConfig(
        train=write(tmp_path, "train", many(20)),
        valid=write(tmp_path, "valid", [("", "z"), *many(5, "valid")]),
        test=write(tmp_path, "test", odd),
        valid_size=3,
    )
    summary = prepare(config, 1, tmp_path / "out")
    assert [row[1:] for row in rows(tmp_path / "out", "test")] == odd
    assert [row[0] for row in rows(tmp_path / "out", "valid")] == ["valid-000002", "valid-000003", "valid-000004"]
    assert summary.dropped == {"in_test": 1}
    message = json.loads((tmp_path / "out" / "cleaning.json").read_text())
    assert message["valid"]["dropped"]["over_valid_size"]["count"] == 2
    assert message["test"] == {"read": 5, "kept": 5, "dropped": {}}
    assert message["train"]["dropped"]["in_test"]["examples"][0]["line"] == 8
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "card.json",
        "card.md",
        "cleaning.json",
        "contamination.json",
        "test.parquet",
        "train.parquet",
        "valid.parquet",
    ]


def test_max_train(tmp_path: Path) -> None:
    files = write(tmp_path, "a", many(10_000))
    config = CorpusConfig(train=files, max_train=100, valid_size=10, test_size=10)
    summary = prepare(config, 1, tmp_path / "out")
    train = rows(tmp_path / "out", "train")
    assert summary.train == len(train) == 100
    assert [row[0] for row in train] == sorted(row[0] for row in train)
    assert summary.dropped == {"split_off": 20, "not_drawn": 9880}


def test_nothing_left(tmp_path: Path) -> None:
    files = write(tmp_path, "a", [*many(3), ("same", "same")])
    config = CorpusConfig(train=files, cleaning=CleaningConfig(max_words=2))
    with pytest.raises(UserError, match=r"0 pairs left of 4 \(dropped: too_long 3, identical 1\)"):
        prepare(config, 1, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_too_few_to_split(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="only 9 clean pairs"):
        prepare(CorpusConfig(train=write(tmp_path, "a", many(9))), 1, tmp_path / "out")


def test_what_corpus_is_meant(tmp_path: Path) -> None:
    for config in (CorpusConfig(), CorpusConfig(dataset="debian", train=["a.tsv"]), CorpusConfig(dataset="wmt")):
        for call in (lambda config=config: prepare(config, 1, tmp_path), lambda config=config: inputs(config)):
            with pytest.raises(UserError, match=r"corpus\.dataset"):
                call()


def test_inputs_follow_the_files(tmp_path: Path) -> None:
    config = CorpusConfig(train=write(tmp_path, "a", many(3)), test=write(tmp_path, "b", many(2)))
    first = inputs(config)
    assert len(first) == 4
    assert inputs(config) == first
    write(tmp_path, "b", many(1))
    assert {name for name, value in inputs(config).items() if value != first[name]} == {
        f"test:{path}" for path in config.test
    }
    Path(config.train[0]).unlink()
    with pytest.raises(UserError, match="does not exist"):
        inputs(config)


def test_hugging_face_data_set(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    columns = {"en": [pair[0] for pair in many(30)], "it": [pair[1] for pair in many(30)]}
    datasets.Dataset.from_dict(columns).save_to_disk(tmp_path / "data")
    config = CorpusConfig(dataset=f"hf:{tmp_path / 'data'}")
    assert inputs(config)
    summary = prepare(config, 1, tmp_path / "out")
    assert [summary.train, summary.valid, summary.test] == [24, 3, 3]


def test_load_states_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the corpus step"):
        load_split(tmp_path, "train")
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="is damaged"):
        load_split(tmp_path, "train")


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not here")
def test_debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_apt = pytest.importorskip("test_apt")
    from distilmt.data.readers import apt

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    repository = test_apt.Repository(tmp_path)
    apt.fetch(["en", "it"], apt.default_cache(), repository.config)
    config = CorpusConfig(dataset="debian")
    assert list(inputs(config)) == ["debian"]
    summary = prepare(config, 1, tmp_path / "out")
    assert [row[1:] for row in rows(tmp_path / "out", "train")] == [
        ("small tool", "piccolo strumento"),
        ("It frobs.", "Serve a frobbare."),
        ("It is small.", "È piccolo."),
    ]
    assert summary.read == 3


@pytest.mark.skipif(not (DATA / "multi30k").is_dir(), reason="the shared data are not here")
def test_multi30k(tmp_path: Path) -> None:
    folder = DATA / "multi30k"
    config = CorpusConfig(
        target="de",
        train=[str(folder / "train.en"), str(folder / "train.de")],
        test=[str(folder / "test2016.en"), str(folder / "test2016.de")],
        valid_size=500,
    )
    summary = prepare(config, 1, tmp_path)
    assert summary.test == 1000
    assert summary.valid == 500
    assert isinstance(summary.train, int)
    assert 28_000 < summary.train < 28_500


def text(folder: Path, name: str, lines: list[str]) -> str:
    path = folder / name
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return str(path)


def test_monolingual_rows_have_no_target(tmp_path: Path) -> None:
    pairs = many(200)
    lines = [f"mono sentence number {n}" for n in range(30)] + ["", "mono sentence number 3", pairs[5][0]]
    mono = [text(tmp_path, "mono.txt.gz", lines), text(tmp_path, "more.txt", ["one more sentence"])]
    test = write(tmp_path, "test", [("Mono sentence number 7!", "prova")])
    config = CorpusConfig(train=write(tmp_path, "a", pairs), test=test, monolingual=mono)
    summary = prepare(config, 1, tmp_path / "out")
    train = rows(tmp_path / "out", "train")
    added = [row for row in train if row[0].startswith("mono-")]
    assert all(row[2] is None for row in added)
    assert all(row[2] is not None for row in train if row not in added)
    assert added[0] == ("mono-1-000001", "mono sentence number 0", None)
    assert added[-1] == ("mono-2-000001", "one more sentence", None)
    assert summary.train == len(train)
    assert all(row[2] is not None for row in rows(tmp_path / "out", "valid"))
    message = json.loads((tmp_path / "out" / "cleaning.json").read_text())
    assert message["train: mono-1"]["read"] == 33
    assert {name: part["count"] for name, part in message["train: mono-1"]["dropped"].items()}.items() >= {
        ("empty", 1), ("duplicate", 2), ("in_test", 1)
    }  # fmt: skip


def test_monolingual_text_alone(tmp_path: Path) -> None:
    mono = [text(tmp_path, "mono.en", [f"mono sentence number {n}" for n in range(100)])]
    config = CorpusConfig(monolingual=mono, valid_size=5, test_size=7)
    assert list(inputs(config)) == [f"mono:{mono[0]}"]
    summary = prepare(config, 1, tmp_path / "out")
    assert [summary.train, summary.valid, summary.test] == [88, 5, 7]
    result = {split: rows(tmp_path / "out", split) for split in ("train", "valid", "test")}
    assert all(row[2] is None for part in result.values() for row in part)
    assert result["train"][0][0].startswith("mono-")
    assert result["test"][0][0].startswith("test-mono-")
    assert len({row[1] for part in result.values() for row in part}) == 100


def test_monolingual_files_are_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.tsv is not a monolingual text file"):
        prepare(CorpusConfig(monolingual=[text(tmp_path, "a.tsv", ["a\tb"])]), 1, tmp_path / "out")
