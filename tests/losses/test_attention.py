"""The distance between two models' attention."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distilmt.losses.attention import attention_distance

LOWEST = torch.finfo(torch.float64).min


def scores(*shape, seed=1):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_by_hand():
    """One head each: the teacher looks with (3/4, 1/4), the student evenly; the second query is padding."""
    teacher = torch.tensor([[[[math.log(3.0), 0.0, 7.0], [5.0, 1.0, 2.0]]]])
    apart = torch.tensor([[[[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]]]) * torch.finfo(torch.float32).min
    result = attention_distance(torch.zeros_like(teacher), teacher, apart, torch.eye(1))
    assert float(result) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_heads_are_mixed_before_the_softmax():
    student, apart = scores(2, 3, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.float64)
    mixture = torch.tensor([[0.5, 0.0, 0.5], [-1.0, 2.0, 0.0]], dtype=torch.float64)
    teacher = torch.stack([(student[:, 0] + student[:, 2]) / 2, 2 * student[:, 1] - student[:, 0]], 1)
    assert float(attention_distance(student, teacher, apart, mixture)) == pytest.approx(0, abs=1e-12)
    assert float(attention_distance(student, teacher, apart, mixture.flip(0))) > 0.1


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_equals_the_definition_query_by_query(students, teachers, seed):
    student, teacher = scores(2, students, 5, 5, seed=seed), scores(2, teachers, 5, 5, seed=seed + 1)
    mixture = scores(teachers, students, seed=seed + 2)
    allowed = scores(2, 1, 5, 5, seed=seed + 3) > -0.3
    apart = torch.zeros(2, 1, 5, 5, dtype=torch.float64).masked_fill(~allowed, LOWEST)
    expected = 0.0
    for row in range(2):
        for query in range(5):
            keys = allowed[row, 0, query]
            for head in range(teachers):
                p = teacher[row, head, query][keys].softmax(0)
                mixed = sum(mixture[head, s] * student[row, s, query] for s in range(students))
                expected += float((p * (p.log() - mixed[keys].log_softmax(0))).sum()) / teachers
    assert float(attention_distance(student, teacher, apart, mixture)) == pytest.approx(expected, abs=1e-9)


def test_gradients():
    student, mixture = scores(2, 2, 3, 3).requires_grad_(), scores(3, 2, seed=2).requires_grad_()
    apart = torch.zeros(2, 1, 3, 3, dtype=torch.float64)
    apart[0, 0, 1, 2] = apart[1, 0, 0, :] = LOWEST
    teacher = scores(2, 3, 3, 3, seed=3)
    assert torch.autograd.gradcheck(lambda s, m: attention_distance(s, teacher, apart, m), (student, mixture))
