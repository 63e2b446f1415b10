"""Packages of Argos Translate that cut words with subword-nmt's merges, as `bpe.model`."""

import io
import json
import shutil
import zipfile

import pytest
from helpers import toy
from helpers.examples import example_count
from helpers.processes import Process
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import TeacherConfig
from distilmt.export.foreign import check_packages, export_foreign
from distilmt.inference import moses_bpe
from distilmt.inference.moses_bpe import MosesBpeTokenizer
from distilmt.inference.translator import Translator
from distilmt.teachers import existing
from distilmt.utils.errors import UserError

MosesDetokenizer = pytest.importorskip("sacremoses").MosesDetokenizer
learn_bpe = pytest.importorskip("subword_nmt.learn_bpe").learn_bpe
TEXTS = toy.pairs(12, seed=5)[0]


@pytest.fixture(scope="module")
def codes():
    """Merges that make one piece of every word of the toy language."""
    merges = io.StringIO()
    learn_bpe(io.StringIO("\n".join(" ".join(toy.SOURCE_WORDS * 2) for _ in range(3))), merges, 200)
    return merges.getvalue()


def renamed(piece):
    """The name of a SentencePiece piece as one of subword-nmt: the joiner stands behind, not the space before."""
    if piece in ("<s>", "</s>", "<unk>", "<pad>", ".") or piece.startswith("<0x"):
        return piece
    return piece[1:] if len(piece) > 1 and piece.startswith("▁") and piece != "▁." else piece + "@@"


@pytest.fixture
def package(exported_model, codes, tmp_path):
    """A model with other names for its pieces, laid down as Argos' packages are."""
    directory = tmp_path / "translate-en_it"
    shutil.copytree(
        exported_model, directory / "model", ignore=shutil.ignore_patterns("*.spm", "*.md", "*t.json", "card.*")
    )
    file = directory / "model" / "shared_vocabulary.json"
    file.write_text(json.dumps([renamed(piece) for piece in json.loads(file.read_text())]))
    config = json.loads((directory / "model" / "config.json").read_text())
    (directory / "model" / "config.json").write_text(json.dumps(config | {"add_source_eos": True}))
    (directory / "metadata.json").write_text(json.dumps({"from_code": "en", "to_code": "it"}))
    (directory / "bpe.model").write_text(codes)
    return directory


def as_teacher(package, directory):
    export_foreign({"kind": "ctranslate2", "path": str(package)}, directory, "float32", "en", "it")
    return Translator(directory)


def test_a_package_translates_as_the_same_model_with_other_pieces(package, exported_model, tmp_path):
    existing.describe_teacher(TeacherConfig(path=str(package)))
    teacher = as_teacher(package, tmp_path / "teacher")
    own = Translator(exported_model).hypotheses(TEXTS)
    words = [" ".join(map(renamed, row[0].tokens)).replace("@@ ", "").removesuffix("@@") for row in own]
    expected = [MosesDetokenizer("it").detokenize(text.split(" ")) for text in words]
    assert teacher.translate(TEXTS) == expected and len(set(expected)) > 6
    assert teacher.translate(["", TEXTS[0]])[0] == ""


def test_a_zipped_package_too(package, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.argosmodel", "w") as file:
        for each in package.rglob("*"):
            file.write(each, each.relative_to(package.parent))
    check_packages(tmp_path / "x.argosmodel")
    existing.describe_teacher(TeacherConfig(path=str(tmp_path / "x.argosmodel")))
    zipped = as_teacher(tmp_path / "x.argosmodel", tmp_path / "zipped")
    assert zipped.translate(TEXTS) == as_teacher(package, tmp_path / "plain").translate(TEXTS)


def test_damaged_merges_are_one_line(package, tmp_path):
    (package / "bpe.model").write_text("#version: 0.2\nt h\nthe\n")
    with pytest.raises(UserError, match=r"bpe\.model cannot be read \(invalid line 3 in BPE codes file: the\)"):
        as_teacher(package, tmp_path / "teacher")
    assert not (tmp_path / "teacher").exists()


@pytest.mark.parametrize("content", [b"#version: x\na b\n", b"#version: 0.2\n\xff\xfe b\n", b"#version:\n"])
def test_other_damage_too(package, tmp_path, content):
    (package / "bpe.model").write_bytes(content)
    with pytest.raises(UserError, match=r"bpe\.model cannot be read"):
        as_teacher(package, tmp_path / "teacher")


def test_several_files_of_merges_are_reported(package, codes, tmp_path):
    (package / "bpe2.model").write_text(codes)
    with pytest.raises(UserError, match=r"several files of merges \(bpe\.model, bpe2\.model\)"):
        as_teacher(package, tmp_path / "teacher")


def test_missing_packages_are_named_before_anything_is_read(package):
    program = (
        "import sys; sys.modules['sacremoses'] = None\n"
        "from pathlib import Path\nfrom distilmt.export.foreign import check_packages\n"
        "from distilmt.utils.extras import missing_package\n"
        "try: check_packages(Path(sys.argv[1]))\n"
        "except ModuleNotFoundError as error: print(missing_package(error))\n"
    )
    process = Process(package, program=program).completed()
    assert (
        process.stdout.decode()
        == "this command needs sacremoses, which is not installed: pip install '.[argos]' in a clone of distilmt\n"
    )
    (package / "sentencepiece.model").write_bytes(b"\n")
    process = Process(package, program=program).completed()
    assert (process.returncode, process.stdout) == (0, b"")


@pytest.fixture(scope="module")
def pieces(codes, tmp_path_factory):
    directory = tmp_path_factory.mktemp("pieces")
    (directory / moses_bpe.CODES).write_text(codes)
    (directory / "shared_vocabulary.json").write_text(json.dumps([*toy.SOURCE_WORDS, "z", "<unk>", "</s>"]))
    return MosesBpeTokenizer(directory, {"source_language": "en", "target_language": "en"})


WORDS = st.lists(st.sampled_from([*toy.SOURCE_WORDS, "zebra", "Zürich", "12"]), min_size=1, max_size=8).map(" ".join)


@given(WORDS)
@settings(max_examples=50, deadline=None)
def test_what_is_cut_is_joined_again(pieces, text):
    assert pieces.decode(pieces.encode([text])[0]) == text


CONTROL = ["</s>", "<unk>", "<pad>", "<s>"]


@given(st.lists(st.sampled_from([*CONTROL, "ban", "@@", " ", "&lt;", "\u2028", "…"])).map("".join))
@settings(max_examples=example_count(100), deadline=None)
def test_control_pieces_in_a_text_are_text(pieces, text):
    assert not set(CONTROL) & set(pieces.encode([text])[0])


def test_characters_without_a_piece_are_recognized_as_such(pieces):
    assert all(map(pieces.has_token, "zb")) and not any(map(pieces.has_token, "ßé"))


def test_words_are_not_remembered_without_end(pieces, monkeypatch):
    monkeypatch.setattr(moses_bpe, "MAX_CACHED_WORDS", 3)
    for number in range(20):
        pieces.encode([f"word{number}"])
    assert len(pieces.merges.cache) <= 4
