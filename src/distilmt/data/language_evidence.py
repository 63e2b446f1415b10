"""Languages of a sample of texts: a sibling language under the code of another is seen in many texts, not in one."""

from __future__ import annotations

import random
from collections import Counter
from typing import TypedDict

from distilmt.data.cleaning import weighted_length
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.language_identification import language_identifier
from distilmt.utils.languages import base_language

_SAMPLE, _MIN_CHARS = 400, 40
_DOUBT = 0.02
"""A text is in another language if the expected one has a smaller probability: right texts have a larger one in 99 % of
the cases."""
_MIN_SHARE = 0.05
"""Another language with a smaller share of the sample is taken for errors of the identification."""


class LanguageEvidence(TypedDict):
    """Identified languages of a sample: `expected_share` of the texts are in the expected one.

    `others` are the shares of languages of texts that are almost certainly not in the expected one.
    """

    expected: str
    texts: int
    expected_share: float
    others: dict[str, float]


def check_identifier() -> None:
    """Check that languages can be identified.

    Raises:
        UserError: py3langid is not installed.
    """
    try:
        language_identifier()
    except ImportError:
        raise UserError(
            f"corpus.identify_languages needs py3langid: {install_command('langid')}, or set it to false"
        ) from None


class LanguageSample:
    """A sample of the texts of one side, uniform over all that are long enough."""

    def __init__(self, language: str) -> None:
        self._language = base_language(language)
        self._random, self._texts, self._count = random.Random(1), list[str](), 0

    def add(self, text: str) -> None:
        """Take a text into account."""
        if weighted_length(text) < _MIN_CHARS:
            return
        self._count += 1
        if len(self._texts) < _SAMPLE:
            self._texts.append(text)
        elif (place := self._random.randrange(self._count)) < _SAMPLE:
            self._texts[place] = text

    def evidence(self) -> LanguageEvidence | None:
        """The languages of the sample; None without texts, or if the identifier does not know the language.

        Raises:
            ImportError: py3langid is not installed.
        """
        identifier = language_identifier()
        if not self._texts or self._language not in identifier.nb_classes:
            return None
        ranked = [identifier.rank(text) for text in self._texts]
        foreign = Counter(str(codes[0][0]) for codes in ranked if dict(codes)[self._language] < _DOUBT)
        shares = {code: count / len(self._texts) for code, count in foreign.most_common()}
        return LanguageEvidence(
            expected=self._language,
            texts=len(self._texts),
            expected_share=sum(codes[0][0] == self._language for codes in ranked) / len(ranked),
            others={code: share for code, share in shares.items() if share >= _MIN_SHARE},
        )
