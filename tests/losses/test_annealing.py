import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.config import ObjectiveConfig
from distilmt.losses.distillation import anneal_teacher

WEIGHT = st.floats(0, 2)


@given(WEIGHT, WEIGHT, st.floats(0, 1), st.floats(0, 1))
def test_the_word_weight_falls_and_the_label_takes_over(word, label, earlier, later):
    config = ObjectiveConfig(kd_weight=word, ce_weight=label, teacher_annealing=True)
    before, after = (anneal_teacher(config, progress) for progress in sorted((earlier, later)))
    assert after.kd_weight <= before.kd_weight and after.ce_weight >= before.ce_weight
    assert after.kd_weight + after.ce_weight == pytest.approx(word + label)


def test_ends_of_annealing():
    config = ObjectiveConfig(kd_weight=0.8, ce_weight=0.2, teacher_annealing=True, temperature=2.0)
    assert (anneal_teacher(config, 0).kd_weight, anneal_teacher(config, 0).ce_weight) == pytest.approx((0.8, 0.2))
    assert anneal_teacher(config, 0.25).kd_weight == pytest.approx(0.6)
    for over in (1.0, 1.3):  # a schedule that hurries may overshoot
        assert (anneal_teacher(config, over).kd_weight, anneal_teacher(config, over).ce_weight) == (0.0, 1.0)
        assert anneal_teacher(config, over).temperature == 2.0


def test_without_annealing_nothing_changes():
    config = ObjectiveConfig(kd_weight=0.8, ce_weight=0.2)
    assert anneal_teacher(config, 0.5) is config
