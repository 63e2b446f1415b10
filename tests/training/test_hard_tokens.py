import pytest
import torch

from distilmt.training.hard_tokens import HardTokenQueue


def test_the_last_positions_tell_what_is_hard():
    queue = HardTokenQueue(10)
    queue.add(torch.arange(8.0))
    assert queue.threshold(0.5) is None
    queue.add(torch.arange(8.0, 12.0))  # 2 … 11 are left
    found = queue.threshold(0.3)
    assert found is not None and found.item() == pytest.approx(2 + 9 * 0.7)
    queue.add(torch.zeros(10))
    found = queue.threshold(0.3)
    assert found is not None and found.item() == 0
