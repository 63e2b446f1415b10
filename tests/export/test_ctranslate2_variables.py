"""The variables of a model.bin, and files that are no model.bin."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from helpers import toy
from helpers.marian import new_network
from hypothesis import given
from hypothesis import strategies as st

from distilmt.export.ctranslate2 import export
from distilmt.export.ctranslate2_variables import read_variables


@pytest.fixture(scope="module")
def content(tmp_path_factory, shared_tokenizer):
    """The file of a model in int8."""
    path = tmp_path_factory.mktemp("variables") / "ct2"
    export(new_network(toy.MICRO, shared_tokenizer, 0.0, 1), shared_tokenizer, path, "int8_float16")
    return (path / "model.bin").read_bytes()


def test_weights_are_float32_and_aliases_have_values(content):
    variables = read_variables(content)
    assert variables.specification == "TransformerSpec"
    assert variables.number("encoder/num_heads") == 2 and variables.number("none", 7) == 7
    weights = [value for name, value in variables.values.items() if value.ndim]
    assert weights and all(value.dtype == np.float32 for value in weights)
    assert variables.values["decoder/projection/weight"] is variables.values["decoder/embeddings/weight"]


@given(st.data())
def test_a_damaged_file_is_a_value_error(content, data):
    """Cut off anywhere, or with any byte changed, it is read or refused: never another error."""
    place = data.draw(st.one_of(st.integers(0, 300), st.integers(0, len(content) - 1)))
    if data.draw(st.booleans()):
        with pytest.raises(ValueError, match=r"cut off"):
            read_variables(content[:place])
        return
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        values = read_variables(bytes(changed)).values
    except ValueError:
        return
    assert sum(value.nbytes for value in values.values()) < 20 * len(content)


def test_sizes_that_a_file_claims_are_compared_with_its_bytes():
    name = struct.pack("<H", 2) + b"a\0"
    head = struct.pack("<I", 6) + name + struct.pack("<II", 7, 1) + name + struct.pack("<B", 2)
    for shape in ((1 << 31, 1 << 31), (1 << 16, 1 << 16)):
        claimed = head + struct.pack("<II", *shape) + struct.pack("<BI", 0, 4) + bytes(4)
        with pytest.raises(ValueError, match="which is not its shape"):
            read_variables(claimed)
    with pytest.raises(ValueError, match="version 9"):
        read_variables(struct.pack("<I", 9))
