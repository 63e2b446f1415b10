"""Corpora, classifiers and floors as people bring them: tries T50 to T56, T79 to T82, and adversary C1, S4."""

import ast
import bz2
import json
import lzma
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import toy
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import has_fit_parameter

from distilmt.classification import Distilled
from distilmt.classification.teachers import crossfitted
from distilmt.config import LabelConfig, TokenizerConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.data.readers.files import read_pairs
from distilmt.inference.sandbox import check_model_files
from distilmt.labels import writer
from distilmt.labels.ensemble import LabelingTask
from distilmt.labels.store import LabelStore
from distilmt.utils.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))
from lowest import lowest  # noqa: E402

PACKAGES = {
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "thot": "sil-thot",
    "markdown_it": "markdown-it-py",
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "fontTools": "fonttools",
}


def imports_of(path: Path) -> set[str]:
    """Modules, and what might be modules, that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imports_under(*modules: str) -> set[str]:
    """Names that some modules of distilmt import, and those that they import, and so on."""
    source, todo, names = ROOT / "src", set(modules), set()
    while todo:
        path = source / todo.pop().replace(".", "/")
        files = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()]
        new = {name for file in files for name in imports_of(file)} - names
        names |= new
        todo |= {name for name in new if name.startswith("distilmt.")}
    return names


def packages(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"distilmt"}


def read(*paths: Path) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in read_pairs([str(path) for path in paths], "en", "it")]


@pytest.mark.parametrize(
    ("ending", "pack"),
    [(".xz", lzma.compress), (".bz2", bz2.compress), (".zst", lambda d: pa.compress(d, codec="zstd", asbytes=True))],
)
def test_t50_compressed_corpora(tmp_path, ending, pack):
    for side, text in (("en", b"A small editor.\nA house.\n"), ("it", b"Un piccolo editor.\nUna casa.\n")):
        (tmp_path / f"z.{side}{ending}").write_bytes(pack(text))
    result = read(tmp_path / f"z.en{ending}", tmp_path / f"z.it{ending}")
    assert result == [("A small editor.", "Un piccolo editor."), ("A house.", "Una casa.")]


def test_t51_blank_lines_and_the_name_json(tmp_path):
    record = json.dumps({"translation": {"en": "A house.", "it": "Una casa."}})
    for name in ("hf.jsonl", "hf.json"):
        (tmp_path / name).write_text(f"{record}\n\n{record}\n\n")
        assert read(tmp_path / name) == [("A house.", "Una casa.")] * 2
    (tmp_path / "hf.json").write_text(f"[{record},\n {record}]")
    assert read(tmp_path / "hf.json") == [("A house.", "Una casa.")] * 2
    (tmp_path / "crlf.tsv").write_bytes(b"A house.\tUna casa.\r\n\r\n")
    assert read(tmp_path / "crlf.tsv") == [("A house.", "Una casa.")]


def test_t54_states_of_xliff(tmp_path, messages):
    segment = "<segment{}><source>Text {}.</source><target>Testo {}.</target></segment>"
    states = ("", ' state="initial"', ' state="translated"', ' state="final"')
    units = "".join(f"<unit>{segment.format(state, n, n)}</unit>" for n, state in enumerate(states))
    units += f'<unit translate="no">{segment.format("", 9, 9)}</unit>'
    (tmp_path / "v20.xliff").write_text(
        f'<xliff version="2.0" srcLang="en" trgLang="it" xmlns="urn:oasis:names:tc:xliff:document:2.0">'
        f"<file>{units}</file></xliff>"
    )
    assert [left for left, _ in read(tmp_path / "v20.xliff")] == ["Text 0.", "Text 2.", "Text 3."]
    assert "state=initial" in messages[0] and "translate=no" in messages[0]

    unit = "<trans-unit{}><source>Text {}.</source><target{}>Testo.</target>"
    unit += "<alt-trans><target>no</target></alt-trans></trans-unit>"
    kinds = [("", ""), (' approved="no"', ""), (' translate="no"', ""), ("", ' state="needs-review-translation"')]
    kinds += [(' approved="yes"', ' state="final"'), ("", ' state="new"')]
    body = "".join(unit.format(on_unit, n, on_target) for n, (on_unit, on_target) in enumerate(kinds))
    (tmp_path / "v12.xlf").write_text(
        f'<xliff version="1.2"><file source-language="en" target-language="it"><body>{body}</body></file></xliff>'
    )
    assert read(tmp_path / "v12.xlf") == [("Text 0.", "Testo."), ("Text 4.", "Testo.")]


def test_t55_heads_quotes_and_csv(tmp_path, messages):
    (tmp_path / "header.tsv").write_text("source\ttarget\nA house.\tUna casa.\n")
    assert read(tmp_path / "header.tsv") == [("A house.", "Una casa.")]
    assert "names the columns" in messages[-1]
    (tmp_path / "quoted.tsv").write_text('"He said ""yes"" to me."\t"Mi ha detto ""sì""."\n')
    assert read(tmp_path / "quoted.tsv") == [('He said "yes" to me.', 'Mi ha detto "sì".')]
    assert "quotation marks" in messages[-1]
    (tmp_path / "a.csv").write_text('id,en,it\n1,"Hello, world","Ciao, mondo"\n')
    assert read(tmp_path / "a.csv") == [("Hello, world", "Ciao, mondo")]


def test_t56_moses_and_parquet_as_before(tmp_path):
    (tmp_path / "a.en").write_bytes("one\u2028two\x0c\n\nthree\n".encode())
    (tmp_path / "a.it").write_bytes("uno\x85due\n\ntre\n".encode())
    assert read(tmp_path / "a.en", tmp_path / "a.it") == [
        ("one\u2028two\x0c", "uno\x85due"),
        ("", ""),
        ("three", "tre"),
    ]
    (tmp_path / "b.it").write_bytes(b"uno\n")
    with pytest.raises(UserError, match=r"has 3 lines but .* has 1"):
        read(tmp_path / "a.en", tmp_path / "b.it")
    pq.write_table(pa.table({"translation": [{"en_US": "a", "it_IT": "b"}]}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [("a", "b")]


def test_t79_a_class_that_a_fold_has_not_seen():
    X, y = load_iris(return_X_y=True)  # sorted by class: without shuffling each fold lacks one
    learner = Distilled(RandomForestClassifier(20, random_state=0), DecisionTreeClassifier(random_state=0), cv=KFold(3))
    with pytest.warns(UserWarning, match="saw no row of 0, 1, 2: 150 rows"):
        assert learner.fit(X, y).score(X, y) > 0.9


def test_t79_only_the_rows_of_the_missing_class_take_their_labels():
    X, y = load_iris(return_X_y=True)
    folds = [
        (np.arange(100), np.arange(100, 150)),
        (np.arange(50, 150), np.arange(50)),
        (np.r_[0:50, 75:150], np.r_[50:75]),
    ]
    folds.append((np.r_[0:75, 100:150], np.r_[75:100]))
    with pytest.warns(UserWarning, match="saw no row of 0, 2: 100 rows"):
        result, classes = crossfitted(GaussianNB(), X, y, folds)
    assert (result[np.r_[0:50, 100:150]].max(axis=1) == 1).all() and (result.argmax(axis=1) == y).mean() > 0.95
    assert result[50:100].max(axis=1).min() < 1 and classes.tolist() == [0, 1, 2]


def test_t79_no_warning_where_every_fold_has_all_classes():
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = Distilled(GaussianNB(), DecisionTreeClassifier(random_state=0), cv=3, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


def test_t80_sample_weight_is_refused_by_name():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(TypeError, match="takes no sample_weight: all rows weigh the same"):
        Distilled(GaussianNB(), DecisionTreeClassifier()).fit(X, y, sample_weight=np.ones(len(y)))
    assert not has_fit_parameter(Distilled(GaussianNB(), DecisionTreeClassifier()), "sample_weight")


@pytest.mark.slow
def test_t81_ray_labels_as_one_process_does(tmp_path, trained_model):
    pytest.importorskip("ray")
    config = LabelConfig(score_on="hypothesis", beam_size=2, compute_type="int8", shard_size=5)
    sources = toy.pairs(48, seed=7)[0]
    table = pa.table({"id": [f"s{n}" for n in range(48)], "source": sources, "target": pa.nulls(48, pa.string())})
    stores = []
    for engine in ("local", "ray"):
        job = LabelingTask(
            trained_model, tokenizers.load(trained_model), replace(config, executor=engine), "en", "it", False
        )
        writer.write_label_store((table.slice(n, 5) for n in range(0, 48, 5)), 48, job, tmp_path / engine)
        stores.append([row for shard in LabelStore(tmp_path / engine).shards() for row in shard.to_pylist()])
    assert stores[0] == stores[1] and [row["id"] for row in stores[0]] == table["id"].to_pylist()


def test_t82_more_pieces_than_a_text_has(tmp_path):
    """A small text gets fewer pieces than its configuration allows, and each of its words comes back."""
    sides = toy.pairs(48)
    tokenizers.train(*sides, TokenizerConfig(vocab_size=8000), tmp_path, 1)
    tokenizer = tokenizers.load(tmp_path)
    assert 258 < tokenizer.pad < 7999
    assert tokenizer.source.decode(tokenizer.source.encode(sides[0])) == sides[0]


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_t82_too_few_pieces_for_the_characters(tmp_path, model_type):
    """The line states how many pieces the characters need: that many are enough, one less is not."""
    sides = toy.pairs(48)
    config = TokenizerConfig(vocab_size=120, model_type=model_type)
    with pytest.raises(UserError, match=r"^tokenizer\.vocab_size is 120: .* need \d+: raise it, or [^\n]*$") as refusal:
        tokenizers.train(*sides, config, tmp_path / "few", 1)
    needed = int(str(refusal.value).partition(" need ")[2].partition(":")[0])
    tokenizers.train(*sides, replace(config, vocab_size=needed), tmp_path / "enough", 1)
    with pytest.raises(UserError, match="vocab_size"):
        tokenizers.train(*sides, replace(config, vocab_size=needed - 1), tmp_path / "less", 1)


def test_c1_lower_bounds_are_the_versions_without_recognized_holes():
    bounds = lowest(["train", "serve", "classify", "onnx", "ray", "huggingface"])
    expected = {
        "ctranslate2": (4, 8, 2), "lxml": (6, 1), "onnx": (1, 21), "pyarrow": (23, 0, 1),
        "python-multipart": (0, 0, 31),
        "ray": (2, 54),
        "sentencepiece": (0, 2, 1), "skops": (0, 14), "starlette": (1, 3, 1), "transformers": (5, 10, 1),
    }  # fmt: skip
    for name, version in expected.items():
        assert tuple(map(int, bounds[name].split("."))) >= version, name
    assert "lz4" not in bounds


def test_c1_what_is_imported_is_named():
    """Every package that src imports is a dependency, of distilmt or of an extra."""
    imported = {name for path in (ROOT / "src").rglob("*.py") for name in imports_of(path)}
    named = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    missing = {
        module
        for module in packages(imported) - {"tomli", "_typeshed"}
        if f'"{PACKAGES.get(module, module).replace("_", "-")}' not in named
    }
    assert missing <= {"pandas"}  # of a data frame, which somebody brings


def test_c1_serving_without_torch_names_what_it_imports():
    """Core and the extras `serve`, `documents`, `pages` and `speech` hold all that `translate` and `serve` import."""
    modules = ("distilmt.documents.translate", "distilmt.serving", "distilmt.serving.server", "distilmt.config.loading")
    imported = packages(imports_under(*modules, "distilmt.cli.terminal"))
    assert {"ctranslate2", "fastapi", "jsonargparse", "lxml", "regex", "rich"} <= imported
    required = {PACKAGES.get(module, module).replace("_", "-") for module in imported}
    names = set(lowest(["serve", "documents", "pages", "speech"]))
    assert required - names == {
        "huggingface-hub",  # for models of the hub, named `hf:`
        "sacremoses",  # the others for the tokenizers of teachers
        "subword-nmt",
        "transformers",
    }
    assert not {"torch", "transformers", "pyarrow"} & names


def test_s4_a_model_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "model").mkdir()
    with lzma.open(tmp_path / "model" / "model.bin.xz", "wb") as file:
        for _ in range(96):
            file.write(bytes(1 << 20))
    assert (tmp_path / "model" / "model.bin.xz").stat().st_size < 1 << 20
    with pytest.raises(UserError, match=r"unpacks to more than 64 MiB"):
        check_model_files(tmp_path / "model")
