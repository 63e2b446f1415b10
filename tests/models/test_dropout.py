import pytest
import torch

from distilmt.models.dropout import DropoutPool


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_pool_zeroes_its_share_and_keeps_the_mean(p):
    pool = DropoutPool(p, 300_000, torch.float32, torch.device("cpu"))
    for update, rows in ((1, 300), (7, 300), (26, 300), (1000, 300), (1001, 3000)):  # the last is larger than the pool
        pool.begin(3, update)
        dropped = pool(torch.ones(rows, 1000))
        assert float((dropped == 0).float().mean()) == pytest.approx(p, abs=0.01)
        assert float(dropped.mean()) == pytest.approx(1, abs=0.02)
        assert sorted(dropped.unique().tolist()) == pytest.approx([0, 1 / (1 - p)])


def test_pool_depends_on_seed_and_update_alone():
    def masks(pool, seed, update):
        pool.begin(seed, update)
        return [*(pool(torch.ones(40, 50)) for _ in range(3)), pool(torch.ones(1500, 1500))]

    old, fresh = (DropoutPool(0.2, 2000, torch.float32, torch.device("cpu")) for _ in range(2))
    for update in range(1, 30):
        masks(old, 1, update)  # a training that was not interrupted has drawn before
    for update in (30, 31, 60):
        assert all(torch.equal(a, b) for a, b in zip(masks(old, 1, update), masks(fresh, 1, update), strict=True))
    first = masks(fresh, 1, 30)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], masks(fresh, 1, 31)[0])
    assert not torch.equal(first[0], masks(fresh, 2, 30)[0])
