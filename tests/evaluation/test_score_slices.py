"""Scores of parts of a test set: which part loses more than the mean."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.evaluation.quality import sentence_chrf
from distilmt.evaluation.score_slices import length_labels, slice_scores

WORDS = ["river", "garden", "window", "bottle", "forest", "letter", "mountain", "pencil", "kitchen", "engine"]


def sentences(count, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, int(rng.integers(3, 12)))) for _ in range(count)]


def spoiled(text):
    return text.replace("e", "x").replace("r", "z")


@settings(max_examples=4)
@given(st.integers(0, 1000))
def test_the_spoiled_part_loses_more_than_the_mean(seed):
    references = sentences(120, seed)
    labels = ["chat" if row % 4 == 0 else "news" for row in range(120)]
    student = [spoiled(text) if label == "chat" else text for text, label in zip(references, labels, strict=True)]
    rows = slice_scores(
        {"teacher": references, "student": student}, references, {"register": labels}, ("student", "teacher")
    )
    by_name = {row["name"]: row for row in rows}
    assert by_name["chat"]["loses_more"] and not by_name["news"]["loses_more"]
    assert by_name["chat"]["sentences"] == 30 and by_name["news"]["change"] == 0 > by_name["chat"]["change"]
    changes = np.array(sentence_chrf(student, references)) - np.array(sentence_chrf(references, references))
    for name, row in by_name.items():
        inside = np.array([label == name for label in labels])
        assert np.isclose(row["excess"], changes[inside].mean() - changes.mean())
        assert row["interval"][0] <= row["excess"] <= row["interval"][1]


@settings(max_examples=4)
@given(st.integers(0, 1000))
def test_an_equal_loss_everywhere_is_in_no_part_larger(seed):
    references = sentences(80, seed)
    lines = {"teacher": references, "student": references}
    labels = {"length": length_labels(references), "register": ["a", "b"] * 40}
    rows = slice_scores(lines, references, labels, ("student", "teacher"))
    assert {row["kind"] for row in rows} == {"length", "register"} and not any(row["loses_more"] for row in rows)
    assert sum(row["sentences"] for row in rows if row["kind"] == "length") == 80


def test_small_parts_and_missing_systems_have_no_interval():
    references = sentences(15, 1)
    labels = {"register": ["a"] * 12 + ["b"] * 2 + [None]}
    rows = slice_scores({"teacher": references, "student": references}, references, labels, ("student", "teacher"))
    assert [(row["name"], row["sentences"], row["interval"] is None) for row in rows] == [
        ("a", 12, False),
        ("b", 2, True),
    ]
    (alone, _) = slice_scores({"teacher": references}, references, labels, ("", "teacher"))
    assert alone["change"] is None and alone["excess"] is None and set(alone["chrf"]) == {"teacher"}
    (whole,) = slice_scores(
        {"teacher": references, "student": references}, references, {"source": ["x"] * 15}, ("student", "teacher")
    )
    assert whole["interval"] is None
    assert length_labels([]) == []
