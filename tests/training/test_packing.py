import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.training.packing import Packing


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 3), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_there_and_back(lengths, parts, heads, spare):
    """Every word's vectors reach its own cell of the right part and head, and come back."""
    mask = torch.arange(max(lengths) + spare) < torch.tensor(lengths)[:, None]
    packing = Packing(mask.flatten().nonzero().flatten(), mask.shape)
    assert packing.rows % 128 == 0 and packing.words == sum(lengths) < packing.rows
    rows = torch.arange(packing.rows * parts * heads * 2.0).view(packing.rows, -1)
    spread = packing.spread(rows, parts, heads)
    assert spread.shape == (parts, len(lengths), heads, mask.shape[1], 2)
    plain = rows[: packing.words].view(-1, parts, heads, 2)
    assert torch.equal(spread.permute(1, 3, 0, 2, 4)[mask], plain)
    assert torch.equal(packing.gather(spread)[: packing.words], rows[: packing.words])
    assert packing.positions()[: packing.words].tolist() == [i for length in lengths for i in range(length)]
    ids = torch.arange(mask.numel()).view(mask.shape)
    assert torch.equal(packing.pack(ids)[: packing.words], ids[mask])


def test_padding_takes_a_row_that_is_no_word():
    """So that a gradient that is zero behind the words is zero at padding."""
    mask = torch.tensor([[True, False], [True, True]])
    packing = Packing(mask.flatten().nonzero().flatten(), mask.shape)
    rows = torch.ones(packing.rows, 4)
    rows[packing.words :] = 0
    assert not packing.spread(rows, 1, 2)[0].transpose(1, 2)[~mask].any()
