import pytest
import torch

from distilmt.training.hard_tokens import HardTokenQueue


def test_the_last_positions_decide_what_is_hard():
    queue = HardTokenQueue(10)
    queue.add(torch.arange(8.0))
    assert queue.threshold(0.5) is None
    queue.add(torch.arange(8.0, 12.0))  # 2 … 11 are left
    result = queue.threshold(0.3)
    assert result is not None and result.item() == pytest.approx(2 + 9 * 0.7)
    queue.add(torch.zeros(10))
    result = queue.threshold(0.3)
    assert result is not None and result.item() == 0
