"""Who translates for a store: teachers from outside, several of them, and narrow types that came to nothing."""

import math
from dataclasses import replace

import pytest
from helpers import toy

from distilmt.config import EndpointConfig, LabelConfig, TeacherConfig
from distilmt.data import tokenizer as tokenizers
from distilmt.inference.base import DecodingOptions, Hypothesis
from distilmt.inference.translator import Translator
from distilmt.labels.ensemble import LabelingTask, TeacherEnsemble, is_degenerate
from distilmt.teachers import existing
from distilmt.teachers.remote import RemoteTeacher

PAIR = ("en", "it")
TEXTS = toy.pairs(8, seed=4)[0]
CONFIG = LabelConfig(beam_size=1, compute_type="float32", top_k=0)


def output(*words, score=-1.0):
    return Hypothesis(" ".join(words), list(words), score)


@pytest.mark.parametrize(
    ("result", "is_wrong"),
    [
        ([], False),
        ([output("a", "b", "c")], False),
        ([output("a", score=math.nan)], True),
        ([output("a", score=-math.inf)], True),
        ([output(*["a"] * 8)], False),
        ([output("x", *["a"] * 9, "y")], True),
        ([output("fine"), output(*["a", "b"] * 9)], True),
        ([output(*["a"] * 5), output(*["a"] * 5)], False),  # a phrase does not go on from one hypothesis to the next
    ],
)
def test_responses_that_are_no_numbers_or_loop(result, is_wrong):
    assert is_degenerate(result, 8) == is_wrong


def pointing(directory, shared_tokenizer, **named):
    existing.write_pointer(TeacherConfig(**named), PAIR, directory)
    return LabelingTask(directory, shared_tokenizer, CONFIG, *PAIR, needs_top_k=False, endpoint=EndpointConfig())


def test_degenerate_output_of_a_narrow_type_is_decoded_again_in_float32(
    tmp_path, trained_model, exported_model, monkeypatch
):
    """No processor here overflows in 16 bits: half of the narrow outputs get a score that is no number."""
    task = LabelingTask(
        trained_model,
        tokenizers.load(trained_model),
        replace(CONFIG, compute_type="bfloat16"),
        *PAIR,
        needs_top_k=False,
    )
    ensemble = TeacherEnsemble(task, tmp_path)
    narrow = ensemble.models[0]
    translate = narrow.hypotheses

    def with_nan(sources, options):
        n_best_lists = translate(sources, options)
        n_best_lists[::2] = [[output("x", score=math.nan)] for _ in n_best_lists[::2]]
        return n_best_lists

    monkeypatch.setattr(narrow, "hypotheses", with_nan)
    result = ensemble.translate(TEXTS)
    exact = Translator(exported_model).hypotheses(TEXTS, DecodingOptions(beam_size=1))
    assert [row[0].text for row in result[::2]] == [row[0].text for row in exact[::2]]
    assert ensemble.decoded_again == 4
    assert (tmp_path / "teacher-float32" / "model.bin").exists()


def test_a_float32_teacher_is_requested_once(tmp_path, trained_model):
    task = LabelingTask(trained_model, tokenizers.load(trained_model), CONFIG, *PAIR, needs_top_k=False)
    ensemble = TeacherEnsemble(task, tmp_path)
    assert len(ensemble.translate(TEXTS)) == 8 and ensemble.decoded_again == 0
    assert [path.name for path in tmp_path.iterdir()] == ["teacher-float32"]


def test_several_models_from_outside_are_pooled(tmp_path, exported_model, shared_tokenizer):
    job = pointing(tmp_path / "run" / "teacher", shared_tokenizer, path=str(exported_model))
    job = replace(job, config=replace(CONFIG, ensemble=[str(exported_model)]))
    result = TeacherEnsemble(job, tmp_path / "labels").translate(TEXTS)
    alone = Translator(exported_model).hypotheses(TEXTS, DecodingOptions(beam_size=1))
    assert [[h.text for h in row] for row in result] == [[row[0].text] * 2 for row in alone]


def test_a_program_responses_from_what_is_preserved_unless_a_worker_requests(tmp_path, shared_tokenizer):
    job = pointing(tmp_path / "run" / "teacher", shared_tokenizer, command="tr a-z A-Z")
    translators = TeacherEnsemble(job, tmp_path / "labels")
    assert isinstance(translators.models[0], RemoteTeacher) and translators.models[0].cache is not None
    assert [row[0].text for row in translators.translate(TEXTS)] == [text.upper() for text in TEXTS]
    assert (tmp_path / "run" / "responses.sqlite").exists()
    away = TeacherEnsemble(replace(job, cores=1), tmp_path / "elsewhere")
    assert away.models[0].cache is None
