"""Token translation probabilities: IBM model 1 (Brown et al. 1993) on pairs of token sequences, with SIL's Thot.

On held-out labels of Multi30k, at equal list sizes, the HMM model has slightly better coverage but takes several times
as long; fast_align and eflomal are worse (Thot has all of them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command

TokenIdPair = tuple[Sequence[int], Sequence[int]]
"""Token ids of a source sentence and of a translation."""
_ITERATIONS = 5


class Alignment:
    """Translation probabilities of tokens."""

    def __init__(self, pairs: Iterable[TokenIdPair]) -> None:
        """Train the model.

        Args:
            pairs: token ids of sentences and translations; pairs with an empty side or over 1024 tokens are ignored.

        Raises:
            UserError: Thot is not installed, or there are no pairs.
        """
        self._model = _model()
        for source, target in pairs:
            # Ids instead of tokens: a token could be spelled like one of Thot's special words.
            self._model.add_sentence_pair([str(i) for i in source], [str(i) for i in target])
        if not self._model.num_sentence_pairs:
            raise UserError("there are no translations to build a shortlist from: use labels that contain sentences")
        self._model.start_training()
        for _ in range(_ITERATIONS):
            self._model.train()
        self._model.end_training()

    def best(self, source: int, count: int) -> list[int]:
        """The `count` most likely target ids of a source id, most likely first; empty for an unseen source id."""
        word = str(source)
        if not self._model.src_word_exists(word):
            return []
        translations = self._model.get_translations(self._model.get_src_word_index(word))
        likeliest = sorted(translations, key=lambda pair: -pair[1])[:count]
        return [int(self._model.get_trg_word(index)) for index, _ in likeliest]


def check_installed() -> None:
    """Raise a UserError if the word aligner is not installed."""
    _model()


def _model() -> Any:
    try:
        from thot.alignment import Ibm1AlignmentModel
    except ImportError:
        raise UserError(f"a shortlist needs a word aligner: {install_command('shortlist')}") from None
    return Ibm1AlignmentModel()
