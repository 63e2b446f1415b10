"""The projection of CTC that waits in a student's directory for the next student."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distilmt.losses.ctc import initial_head
from distilmt.training.ctc_head import FILE, CtcHead, read_ctc_head, write_ctc_head
from distilmt.utils.errors import UserError

WIDTH = 6


def trained(alphabet: str) -> CtcHead:
    generator = torch.Generator().manual_seed(5)
    shapes = {"ctc.weight": (len(alphabet) + 1, WIDTH), "ctc.bias": (len(alphabet) + 1,)}
    return CtcHead(alphabet, {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()})


def test_it_comes_back(tmp_path: Path) -> None:
    head = trained("a\ud800é山")
    write_ctc_head(head, tmp_path)
    restored = read_ctc_head(tmp_path, WIDTH)
    assert restored is not None and restored.alphabet == head.alphabet
    assert all(torch.equal(restored.parameters[name], value) for name, value in head.parameters.items())
    assert read_ctc_head(tmp_path, 8) is None, "of another width"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o644


def test_characters_keep_their_rows_in_another_alphabet() -> None:
    head = trained("acd")
    weight, fresh = head.for_alphabet("abd")["ctc.weight"], initial_head(3, WIDTH)["ctc.weight"]
    own = head.parameters["ctc.weight"]
    for row, expected in enumerate((own[0], own[1], fresh[2], own[3])):
        assert torch.equal(weight[row], expected)
    assert torch.equal(head.for_alphabet("")["ctc.bias"], head.parameters["ctc.bias"][:1])
    assert torch.equal(head.for_alphabet("acd")["ctc.bias"], head.parameters["ctc.bias"])


@pytest.mark.parametrize("cut", [5, -1])
def test_a_damaged_file_is_one_line(tmp_path: Path, cut: int) -> None:
    write_ctc_head(trained("ab"), tmp_path)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:cut])
    with pytest.raises(UserError, match=f"{FILE} is damaged: .*, or delete the file"):
        read_ctc_head(tmp_path, WIDTH)


def test_no_file_is_no_projection(tmp_path: Path) -> None:
    assert read_ctc_head(tmp_path, WIDTH) is None
