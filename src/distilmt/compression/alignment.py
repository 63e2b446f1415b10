"""Which piece translates which: IBM model 1 (Brown et al. 1993) over pairs of piece sequences, by SIL's Thot.

Lists of equal size covered held-out labels of Multi30k a little better by the HMM model, which takes several times
as long, and worse by fast_align and eflomal (Thot has all of them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command

TokenIdPair = tuple[Sequence[int], Sequence[int]]
"""Ids of a sentence's source pieces and of a translation's target pieces."""
_ITERATIONS = 5


class Alignment:
    """Translation probabilities of pieces."""

    def __init__(self, pairs: Iterable[TokenIdPair]) -> None:
        """Learn them.

        Args:
            pairs: sentences and translations, in ids; an empty side is left out, and so are more than 1024 pieces.

        Raises:
            UserError: Thot is not installed, or there are no pairs.
        """
        self._model = _model()
        for source, target in pairs:
            # Ids as words: Thot has special words of its own, which a piece might be spelt like.
            self._model.add_sentence_pair([str(i) for i in source], [str(i) for i in target])
        if not self._model.num_sentence_pairs:
            raise UserError("there are no translations to learn a shortlist from: give labels with sentences in them")
        self._model.start_training()
        for _ in range(_ITERATIONS):
            self._model.train()
        self._model.end_training()

    def best(self, source: int, count: int) -> list[int]:
        """The `count` likeliest target ids of a source id, likeliest first; none for one that was never seen."""
        word = str(source)
        if not self._model.src_word_exists(word):
            return []
        translations = self._model.get_translations(self._model.get_src_word_index(word))
        likeliest = sorted(translations, key=lambda pair: -pair[1])[:count]
        return [int(self._model.get_trg_word(index)) for index, _ in likeliest]


def check_installed() -> None:
    """Raise a UserError where the word aligner is not there."""
    _model()


def _model() -> Any:
    try:
        from thot.alignment import Ibm1AlignmentModel
    except ImportError:
        raise UserError(f"a shortlist needs a word aligner: {install_command('shortlist')}") from None
    return Ibm1AlignmentModel()
