"""Terms whose translation is prescribed: chosen among the model's translations, or put in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distilmt.data.cleaning import normalise, unspaced
from distilmt.documents.inline import translate_units
from distilmt.documents.segments import Mark, Unit, text_of
from distilmt.documents.tag_alignment import find
from distilmt.utils.errors import UserError

if TYPE_CHECKING:
    from distilmt.inference.base import Attended, Hypothesis
    from distilmt.inference.translator import Translator

CANDIDATES = 8
# Texts with the places of their terms, and what these are to become.
Bound = dict[str, list[tuple[tuple[int, int], str]]]


def read(path: Path) -> dict[str, str]:
    """Terms and their translations: a line each, with a tab between.

    Raises:
        UserError: the file cannot be read, a line has no tab, or a term two translations.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--glossary {path}: {error}: name a UTF-8 file with a term, a tab and its translation a line"
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

    Per sentence with terms in it, the first that gives all of them: the best of the model's `CANDIDATES` translations
    that has them; its best, in which the translation of the term by itself is replaced, or else the word that attended
    most to the term; a translation with something in the term's place that the model copied; translations of what
    stands around the terms.
    """

    translator: Translator
    terms: dict[str, str]
    beam_size: int = 4
    how: Counter[str] = field(default_factory=Counter)
    """How many texts got their terms in which way: `chosen`, `replaced`, `attended` or `inserted`."""

    def __post_init__(self) -> None:
        longest = sorted(self.terms, key=len, reverse=True)
        spaced = "|".join(re.escape(term) for term in longest if not unspaced(term))
        others = [re.escape(term) for term in longest if unspaced(term)]
        parts = [rf"(?<!\w)(?:{spaced})(?!\w)", *others] if spaced else others
        self._pattern = re.compile("|".join(parts), re.IGNORECASE)

    def translate(self, texts: list[str]) -> list[str]:
        """A translation of each text, with the prescribed one for every term in it."""
        texts = [normalise(text) for text in texts]
        bound = {text: terms for text in dict.fromkeys(texts) if (terms := self.terms_in(text))}
        free = [text for text in texts if text not in bound]
        made = dict(zip(free, self._plain(free), strict=True))
        best: dict[str, str] = {}
        for way in (self._chosen, self._replaced, self._attended, self._inserted):
            left = {text: terms for text, terms in bound.items() if text not in made}
            if not left:
                break
            found = {
                text: said
                for text, said in way(left, best).items()
                if way == self._inserted or _holds(said, left[text])
            }
            self.how[way.__name__.strip("_")] += len(found)
            made |= found
        return [made[text] for text in texts]

    def holding(self, texts: list[str], found: list[list[Hypothesis]]) -> list[list[Hypothesis]]:
        """Translations of each text with those that lack its terms left out; first stands what `translate` makes.

        Args:
            texts: sentences.
            found: the model's translations of each, best first; one at least of a text with a term in it.
        """
        rows = [row for row, text in enumerate(texts) if found[row] and self.terms_in(normalise(text))]
        made = [list(said) for said in found]
        for row, text in zip(rows, self.translate([texts[row] for row in rows]), strict=True):
            terms = self.terms_in(normalise(texts[row]))
            others = [said for said in found[row] if said.text != text and _holds(said.text, terms)]
            own = next((said for said in found[row] if said.text == text), replace(found[row][0], text=text))
            made[row] = [own, *others]
        return made

    def terms_in(self, text: str) -> list[tuple[tuple[int, int], str]]:
        """Where a text has terms, with their translations; a term in lower case is met in any case."""
        found = []
        for match in self._pattern.finditer(text):
            target = self.terms.get(match[0]) or self.terms.get(match[0].lower())
            found += [(match.span(), target)] if target else []
        return found

    def _plain(self, texts: list[str]) -> list[str]:
        return self.translator.translate(texts, self.beam_size)

    def _chosen(self, bound: Bound, best: dict[str, str]) -> dict[str, str]:
        """The best translation that has the terms; `best` becomes the best of all, for the next way."""
        beam = max(self.beam_size, CANDIDATES)
        found = self.translator.candidates(list(bound), beam, CANDIDATES)
        best |= {text: said[0].text if said else "" for text, said in zip(bound, found, strict=True)}
        return {
            text: next((h.text for h in said if _holds(h.text, terms)), "")
            for (text, terms), said in zip(bound.items(), found, strict=True)
        }

    def _replaced(self, bound: Bound, best: dict[str, str]) -> dict[str, str]:
        """What a term is translated into by itself, replaced where it stands in the sentence's translation."""
        own = list(dict.fromkeys(text[a:b] for text, terms in bound.items() for (a, b), _ in terms))
        said = dict(zip(own, self._plain(own), strict=True))
        made = {}
        for text, terms in bound.items():
            changed = best[text]
            for (a, b), target in terms:
                if occurrences(changed, target) < sum(t == target for _, t in terms) and said[text[a:b]]:
                    span = find(said[text[a:b]], text[a:b], changed, a / len(text))
                    changed = changed if span is None else _put(changed, span, target)
            made[text] = changed
        return made

    def _attended(self, bound: Bound, best: dict[str, str]) -> dict[str, str]:
        """The word is replaced whose making attended to the term most."""
        made = {}
        attention = self.translator.attention(list(bound), [best[text] for text in bound])
        for (text, terms), words in zip(bound.items(), attention, strict=True):
            parts = best[text].split(" ")
            if len(parts) == len(words):
                made[text] = _swapped(parts, words, terms)
        return made

    def _inserted(self, bound: Bound, _: dict[str, str]) -> dict[str, str]:
        """The term's translation stands in the sentence already, and is kept as placeholders are."""
        units: list[Unit] = []
        for text, terms in bound.items():
            unit: Unit = []
            at = 0
            for (a, b), target in terms:
                unit += [text[at:a], Mark("kept", target, target)]
                at = b
            units.append([part for part in [*unit, text[at:]] if part != ""])
        return {text: text_of(unit) for text, unit in zip(bound, translate_units(units, self._plain), strict=True)}


def _swapped(parts: list[str], words: list[Attended], terms: Sequence[tuple[tuple[int, int], str]]) -> str:
    """A translation's words with those of terms replaced, each once; the punctuation at a word's ends stays."""
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


def _put(text: str, span: tuple[int, int], target: str) -> str:
    start, end = span
    if start == 0 and text[:1].isupper():
        target = target[:1].upper() + target[1:]
    return text[:start] + target + text[end:]


def occurrences(text: str, target: str) -> int:
    """How often a text has a term as a whole word, in any case."""
    edges = ("", "") if unspaced(target) else (r"(?<!\w)", r"(?!\w)")
    return len(re.findall(edges[0] + re.escape(target) + edges[1], text, re.IGNORECASE))


def _holds(text: str, terms: Sequence[tuple[tuple[int, int], str]]) -> bool:
    wanted = Counter(target for _, target in terms)
    return all(occurrences(text, target) >= count for target, count in wanted.items())
