"""The projection of CTC in a student's directory: only a student that starts from this one reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
from safetensors.torch import load_file
from torch import Tensor

from distilmt.losses.ctc import head_rows
from distilmt.training.checkpoint_files import write_tensors
from distilmt.utils.checksums import remedy
from distilmt.utils.errors import UserError

FILE = "ctc_head.safetensors"
_CHARACTERS = "characters"


@dataclass(frozen=True)
class CtcHead:
    """A trained projection from the states of an encoder to characters."""

    alphabet: str
    """The characters in the order of its rows, after that of blank."""
    parameters: Mapping[str, Tensor]
    """`ctc.weight` [characters + 1, d] and `ctc.bias` [characters + 1]."""

    def for_alphabet(self, alphabet: str) -> dict[str, Tensor]:
        """Parameters for another alphabet: characters that it does not know have initial rows."""
        return head_rows(self.parameters, self.alphabet, alphabet)


def write_ctc_head(head: CtcHead, directory: Path) -> None:
    """Write the projection into a model directory, atomically."""
    write_tensors(directory / FILE, dict(head.parameters), {_CHARACTERS: json.dumps(head.alphabet)})
    (directory / FILE).chmod(0o644)  # safetensors makes it readable only by its owner


def read_ctc_head(directory: Path, d_model: int) -> CtcHead | None:
    """The projection of a model directory; None without one, or with one of another width.

    Raises:
        UserError: the file is damaged.
    """
    path = directory / FILE
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, "np") as file:
            alphabet = json.loads(file.metadata()[_CHARACTERS])
        parameters = load_file(path)
        shapes = [tuple(parameters[name].shape) for name in ("ctc.weight", "ctc.bias")]
    except (safetensors.SafetensorError, json.JSONDecodeError, KeyError, TypeError):
        raise UserError(f"{path} is damaged: {remedy(directory)}, or delete the file") from None
    rows = len(alphabet) + 1
    return CtcHead(alphabet, parameters) if shapes == [(rows, d_model), (rows,)] else None
