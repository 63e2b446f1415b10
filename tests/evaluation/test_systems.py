"""Evaluation of translations that are already there."""

import pytest

from distilmt import UserError, evaluate
from distilmt.evaluation.quality import paired_bootstrap, score
from distilmt.evaluation.systems import Resampling

REFERENCES = [f"the {a} cat sat on the {b} mat number {i}" for i, (a, b) in enumerate([("red", "old")] * 20)]
GOOD = [line.replace("red", "big") if i % 4 == 0 else line for i, line in enumerate(REFERENCES)]
BAD = [line.replace("cat", "dog").replace("mat", "rug") for line in REFERENCES]
SOURCES = [f"source {i}" for i in range(20)]
FEW = Resampling(samples=200)


def test_scores_are_those_of_the_run():
    evaluation = evaluate(GOOD, REFERENCES, target="it", resampling=FEW)
    assert evaluation.scores == score(GOOD, REFERENCES, "it")
    assert "tok:13a" in evaluation.scores.bleu_signature
    own = evaluation.systems["hypotheses"]
    for metric in ("bleu", "chrf"):
        low, high = own.intervals[metric]
        assert low < getattr(evaluation.scores, metric) < high
    assert own.checks is None
    assert not evaluation.comparisons


def test_a_better_system_is_significantly_better():
    evaluation = evaluate(GOOD, REFERENCES, SOURCES, against={"other": BAD}, name="mine", resampling=FEW)
    assert list(evaluation.systems) == ["mine", "other"]
    expected = paired_bootstrap(("mine", GOOD), ("other", BAD), REFERENCES, "en", 200, 1)
    assert evaluation.comparisons == expected
    with pytest.raises(UserError, match="no comparison with 'nope' in 'bleu': there is other in bleu, other in chrf"):
        evaluation.comparison("nope")
    row = evaluation.comparison("other")
    assert row["difference"] > 0 and row["ci"][0] > 0 and row["p_value"] < 0.05
    assert evaluation.systems["other"].checks.sentences == 20


def test_faulty_translations_are_counted():
    outputs = ["", SOURCES[1], *REFERENCES[2:]]
    checks = evaluate(outputs, REFERENCES, SOURCES, resampling=FEW).systems["hypotheses"].checks
    assert (checks.empty, checks.copies) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"against": {"other": BAD[1:]}}, "other has 19 translations, but there are 20 references"),
        ({"against": {"hypotheses": BAD}}, "two systems are called 'hypotheses'"),
        ({"sources": SOURCES[1:]}, "20 translations, 19 sources"),
        ({"resampling": Resampling(0)}, "is 0: it must be at least 1"),
    ],
)
def test_what_does_not_fit_is_one_line(arguments, message):
    with pytest.raises(UserError, match=message):
        evaluate(GOOD, REFERENCES, **arguments)
