import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distilmt.losses.hidden_states import layer_map, state_distance


def test_distance_by_hand():
    student, teacher = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0, 3.0], [1.0, 1.0, 1.0]])
    projection = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    # Projected: (1, 2, 3) and (0, 1, 1); squared differences 0 + 4 + 0 and 1 + 0 + 0, over a width of 3.
    assert float(state_distance(student, teacher, projection)) == pytest.approx(5 / 3)


def test_the_teacher_itself_is_at_no_distance():
    states = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    assert float(state_distance(states, states, torch.eye(8))) == 0


def test_gradients():
    sample = [torch.randn(s, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) for s in ((3, 4), (5, 4))]
    teacher = torch.zeros(3, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda student, projection: state_distance(student, teacher, projection), [t.requires_grad_() for t in sample]
    )


def test_maps_by_hand():
    assert layer_map(2, 6) == [2, 5]
    assert layer_map(3, 3) == [0, 1, 2]
    assert layer_map(1, 5) == [4]
    assert layer_map(3, 1) == [0, 0, 0]


@given(st.integers(1, 24), st.integers(1, 24))
def test_last_to_last_in_order(student, teacher):
    result = layer_map(student, teacher)
    assert result[-1] == teacher - 1 and result == sorted(result) and result[0] >= 0
    assert student > teacher or len(set(result)) == student
