import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from distilmt.labels.chrf import pairwise_chrf

TEXTS = st.lists(st.text(alphabet="abc ä狗.\u00a0", max_size=12), min_size=1, max_size=4)


@given(TEXTS, TEXTS)
def test_equals_sacrebleu(hypotheses, references):
    metric = CHRF()
    expected = [[metric.sentence_score(h, [r]).score for r in references] for h in hypotheses]
    np.testing.assert_allclose(pairwise_chrf(hypotheses, references), expected, atol=1e-9)


def test_by_hand():
    """`ab` by `abc`: precisions 1 and 1, recalls 2/3 and 1/2; longer n-grams stand in one of them at most."""
    recall = (2 / 3 + 1 / 2) / 2
    assert pairwise_chrf(["ab"], ["abc", "a b"])[0] == pytest.approx([100 * 5 * recall / (4 + recall), 100])
