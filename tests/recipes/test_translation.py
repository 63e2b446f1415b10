"""The translator for programs."""

import pytest
from helpers import toy

from distilmt import Translator, UserError
from distilmt.inference.translator import Translator as ModelTranslator


@pytest.fixture(scope="module")
def texts():
    return toy.pairs(5, seed=8)[0]


def test_texts_and_lists_of_texts(exported_model, texts):
    with Translator(exported_model) as translator:
        expected = ModelTranslator(exported_model).translate(texts, beam_size=4)
        assert translator.translate(texts) == expected
        assert translator.translate(texts[0]) == expected[0]
        assert translator.translate(tuple(texts)) == expected
        assert translator.translate([]) == [] and translator.translate("") == ""


def test_options(exported_model, texts):
    greedy = ModelTranslator(exported_model).translate(texts, beam_size=1)
    assert Translator(exported_model, beam_size=1, threads=1).translate(texts) == greedy
    ranked = Translator(exported_model).n_best(texts, count=3)
    assert [len(hypotheses) for hypotheses in ranked] == [3] * 5
    assert all(a.score >= b.score for a, b, _ in ranked)


def test_a_run_directory(finished_run, texts):
    translator = Translator(str(finished_run))
    assert translator.directory == finished_run / "exports" / "student-int8"
    assert translator.translate(texts) == Translator(finished_run / "exports" / "student-int8").translate(texts)
    teacher = Translator(finished_run, "teacher")
    assert teacher.directory.name == "teacher" and teacher.translate(texts) != translator.translate(texts)


def test_documents_keep_their_structure(exported_model, tmp_path, texts):
    (tmp_path / "guide.md").write_text(f"# {texts[0]}\n\n```\ncode stays\n```\n")
    assert Translator(exported_model).translate_file(tmp_path / "guide.md", tmp_path / "guide.it.md") == []
    lines = (tmp_path / "guide.it.md").read_text().splitlines()
    assert lines[0].startswith("# ") and texts[0] not in lines[0]
    assert lines[1:] == ["", "```", "code stays", "```"]


def test_a_closed_translator_does_not_translate(exported_model, texts):
    with Translator(exported_model) as translator:
        pass
    with pytest.raises(UserError, match="is closed: create another one"):
        translator.translate(texts)


def test_wrong_directories_are_one_line(finished_run, tmp_path):
    with pytest.raises(UserError, match="does not exist: name a run directory"):
        Translator(tmp_path / "absent")
    with pytest.raises(UserError, match="no exported 'student-int4': it has baseline-int8, student-int8, teacher"):
        Translator(finished_run, "student-int4")


def test_wrong_arguments_are_one_sentence(exported_model, finished_run, tmp_path):
    translator = Translator(exported_model)
    for call, message in (
        (lambda: translator.translate(5), "texts is 5, an int: give a list of texts"),
        (lambda: translator.translate(b"x"), "texts is b'x', a bytes: decode it to a str"),
        (lambda: translator.translate(["x", b"x"]), "texts[1] is b'x', a bytes: give a str"),
        (lambda: translator.n_best("one text", 2), "texts is a single text: put it into a list"),
        (lambda: translator.n_best(["text"], "2"), "count is '2', a str: give a whole number"),
        (lambda: translator.translate_file(5, "a.md"), "source is 5, an int: give a path"),
        (lambda: Translator(exported_model, threads="2"), "threads is '2', a str: give a whole number"),
        (lambda: Translator(None), "directory is None, a NoneType: give a path"),
        (lambda: Translator(finished_run, None), "system is None: give the name of an export"),
    ):
        with pytest.raises(TypeError) as error:
            call()
        assert str(error.value).startswith(message)
    (tmp_path / "a.md").write_text("ban der.")
    latin = tmp_path / "latin.md"
    latin.write_bytes(b"caf\xe9")
    for call, message in (
        (lambda: translator.n_best(["text"], 0), "count is 0: it must be at least 1"),
        (lambda: translator.translate("a\0b"), "texts has a NUL character"),
        (lambda: translator.translate("a\ud800b"), "texts has a lone surrogate, U+D800, at character 2"),
        (lambda: translator.translate(["a", "\ud800"]), "texts[1] has a lone surrogate"),
        (lambda: translator.translate_file(latin, tmp_path / "c.md"), f"{latin}: not UTF-8 at byte 3"),
        (lambda: Translator(exported_model, "teacher"), f"{exported_model} is one model, not a run"),
        (lambda: translator.translate_file(tmp_path / "a.md", tmp_path / "a.txt"), "target "),
        (lambda: translator.translate_file(tmp_path / "b.md", tmp_path / "a.md"), f"{tmp_path}/b.md does not exist"),
        (lambda: Translator(exported_model, beam_size=0), "beam_size is 0: it must be at least 1"),
        (lambda: Translator(exported_model, threads=-1), "threads is -1: it must be at least 0"),
        (lambda: Translator(exported_model, device="gpu"), "device is 'gpu': it must be one of cpu, cuda, auto"),
    ):
        with pytest.raises(UserError) as error:
            call()
        assert str(error.value).startswith(message) and "--" not in str(error.value)
