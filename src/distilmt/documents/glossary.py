"""Glossary: prescribed translations of terms, chosen among the model's hypotheses or inserted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.data.cleaning import normalize, unspaced_count
from distilmt.documents.inline import translate_segments
from distilmt.documents.segments import InlineTag, Segment, text_of
from distilmt.documents.tag_alignment import find_span
from distilmt.inference.base import DecodingOptions
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from distilmt.inference.base import Hypothesis, WordAttention
    from distilmt.inference.translator import Translator

CANDIDATES = 8
# Texts with the spans of their terms, and the prescribed translations.
TermsByText = dict[str, list[tuple[tuple[int, int], str]]]


def read_glossary(path: Path) -> dict[str, str]:
    """Read terms and their translations: one per line, separated by a tab.

    Raises:
        UserError: the file cannot be read, a line has no tab, or a term has two translations.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--glossary {path}: {error}: name a UTF-8 file with a term, a tab and its translation on each line"
        ) from None
    terms: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        source, *targets = (" ".join(cell.split()) for cell in line.split("\t"))
        if len(targets) != 1 or not source or not targets[0]:
            raise UserError(f"--glossary {path}, line {number}: write a term, one tab, and its translation")
        if terms.setdefault(source, targets[0]) != targets[0]:
            raise UserError(f"--glossary {path}, line {number}: {source!r} has another translation above: keep one")
    if not terms:
        raise UserError(f"--glossary {path} is empty: write a term, a tab and its translation on each line")
    return terms


@dataclass
class Glossary:
    """Translates with prescribed terms.

    For each sentence with terms, the first method that gives all of them is used: the best of the model's `CANDIDATES`
    hypotheses that has them; the best hypothesis, in which the term's own translation is replaced, or else the word
    with the most attention on the term; a translation with a copied stand-in at the term's place; separate translations
    of the text around the terms.
    """

    translator: Translator
    terms: dict[str, str]
    beam_size: int = 4
    how: Counter[str] = field(default_factory=Counter)
    """Number of texts by method: `chosen`, `replaced`, `attended` or `inserted`."""

    def __post_init__(self) -> None:
        longest = sorted(self.terms, key=len, reverse=True)
        spaced = "|".join(re.escape(term) for term in longest if not unspaced_count(term))
        others = [re.escape(term) for term in longest if unspaced_count(term)]
        parts = [rf"(?<!\w)(?:{spaced})(?!\w)", *others] if spaced else others
        self._pattern = re.compile("|".join(parts), re.IGNORECASE)

    def translate(self, texts: list[str]) -> list[str]:
        """Translate each text with the prescribed translations of its terms."""
        texts = [normalize(text) for text in texts]
        terms_by_text = {text: terms for text in dict.fromkeys(texts) if (terms := self.terms_in(text))}
        free = [text for text in texts if text not in terms_by_text]
        translations = dict(zip(free, self._plain(free), strict=True))
        best: dict[str, str] = {}
        for strategy in (self._chosen, self._replaced, self._attended, self._inserted):
            left = {text: terms for text, terms in terms_by_text.items() if text not in translations}
            if not left:
                break
            matches = {
                text: translation
                for text, translation in strategy(left, best).items()
                if strategy == self._inserted or _has_terms(translation, left[text])
            }
            self.how[strategy.__name__.strip("_")] += len(matches)
            translations |= matches
        return [translations[text] for text in texts]

    def filter_hypotheses(self, texts: list[str], hypotheses: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        """Hypotheses of each text that have its terms; the first is the result of `translate`.

        Args:
            texts: source sentences.
            hypotheses: the model's hypotheses of each, best first; at least one for a text with a term.
        """
        rows = [row for row, text in enumerate(texts) if hypotheses[row] and self.terms_in(normalize(text))]
        results = [list(entry) for entry in hypotheses]
        for row, text in zip(rows, self.translate([texts[row] for row in rows]), strict=True):
            terms = self.terms_in(normalize(texts[row]))
            others = [entry for entry in hypotheses[row] if entry.text != text and _has_terms(entry.text, terms)]
            own = next(
                (entry for entry in hypotheses[row] if entry.text == text), replace(hypotheses[row][0], text=text)
            )
            results[row] = [own, *others]
        return results

    def terms_in(self, text: str) -> list[tuple[tuple[int, int], str]]:
        """Spans of terms in a text, with their translations; a term in lower case matches any case."""
        matches = []
        for match in self._pattern.finditer(text):
            target = self.terms.get(match[0]) or self.terms.get(match[0].lower())
            matches += [(match.span(), target)] if target else []
        return matches

    def _plain(self, texts: list[str]) -> list[str]:
        return self.translator.translate(texts, self.beam_size)

    def _chosen(self, terms_by_text: TermsByText, best: dict[str, str]) -> dict[str, str]:
        """The best hypothesis that has the terms; `best` becomes the best of all, for the next method."""
        options = DecodingOptions(beam_size=self.beam_size, num_hypotheses=CANDIDATES)
        hypotheses = self.translator.candidates(list(terms_by_text), options)
        best |= {text: ranked[0].text if ranked else "" for text, ranked in zip(terms_by_text, hypotheses, strict=True)}
        return {
            text: next((h.text for h in ranked if _has_terms(h.text, terms)), "")
            for (text, terms), ranked in zip(terms_by_text.items(), hypotheses, strict=True)
        }

    def _replaced(self, terms_by_text: TermsByText, best: dict[str, str]) -> dict[str, str]:
        """Replace the term's own translation in the sentence's translation."""
        own = list(dict.fromkeys(text[a:b] for text, terms in terms_by_text.items() for (a, b), _ in terms))
        term_translations = dict(zip(own, self._plain(own), strict=True))
        translations = {}
        for text, terms in terms_by_text.items():
            changed = best[text]
            for (a, b), target in terms:
                if occurrences(changed, target) < sum(t == target for _, t in terms) and term_translations[text[a:b]]:
                    span = find_span(term_translations[text[a:b]], text[a:b], changed, a / len(text))
                    changed = changed if span is None else _replace_span(changed, span, target)
            translations[text] = changed
        return translations

    def _attended(self, terms_by_text: TermsByText, best: dict[str, str]) -> dict[str, str]:
        """Replace the word with the most attention on the term."""
        translations = {}
        attention = self.translator.attention(list(terms_by_text), [best[text] for text in terms_by_text])
        for (text, terms), words in zip(terms_by_text.items(), attention, strict=True):
            parts = best[text].split(" ")
            if len(parts) == len(words):
                translations[text] = _replace_words(parts, words, terms)
        return translations

    def _inserted(self, terms_by_text: TermsByText, _: dict[str, str]) -> dict[str, str]:
        """Put the term's translation into the source sentence, protected like a placeholder."""
        segments: list[Segment] = []
        for text, terms in terms_by_text.items():
            segment: Segment = []
            at = 0
            for (a, b), target in terms:
                segment += [text[at:a], InlineTag("kept", target, target)]
                at = b
            segments.append([part for part in [*segment, text[at:]] if part != ""])
        return {
            text: text_of(segment)
            for text, segment in zip(terms_by_text, translate_segments(segments, self._plain), strict=True)
        }


def _replace_words(parts: list[str], words: list[WordAttention], terms: Sequence[tuple[tuple[int, int], str]]) -> str:
    """Replace the words of terms in a translation, each once; punctuation at a word's ends stays."""
    free = [i for i, part in enumerate(parts) if not any(occurrences(part, target) for _, target in terms)]
    for (start, end), target in terms:
        if occurrences(" ".join(parts), target) >= sum(t == target for _, t in terms) or not free:
            continue
        best = max(free, key=lambda i: sum(w for (a, b), w in words[i][1] if a < end and b > start))
        free.remove(best)
        before, behind = re.match(r"\W*", parts[best]), re.search(r"\W*$", parts[best])
        start_of_all = best == 0 and parts[0][:1].isupper()
        chosen = target[:1].upper() + target[1:] if start_of_all else target
        parts[best] = (before[0] if before else "") + chosen + (behind[0] if behind else "")
    return " ".join(parts)


def _replace_span(text: str, span: tuple[int, int], target: str) -> str:
    start, end = span
    if start == 0 and text[:1].isupper():
        target = target[:1].upper() + target[1:]
    return text[:start] + target + text[end:]


def occurrences(text: str, target: str) -> int:
    """Number of occurrences of a term as a whole word, in any case."""
    edges = ("", "") if unspaced_count(target) else (r"(?<!\w)", r"(?!\w)")
    return len(re.findall(edges[0] + re.escape(target) + edges[1], text, re.IGNORECASE))


def _has_terms(text: str, terms: Sequence[tuple[tuple[int, int], str]]) -> bool:
    target_counts = Counter(target for _, target in terms)
    return all(occurrences(text, target) >= count for target, count in target_counts.items())
