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
