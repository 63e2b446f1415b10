"""Find responses of a language model that are no translation of their source."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection
from functools import cache

import regex

from distilmt.data.cleaning import split_words, weighted_length
from distilmt.teachers.instruction_words import concepts, has_instructions, patterns, source_concepts
from distilmt.utils.extras import install_command
from distilmt.utils.language_identification import language_identifier
from distilmt.utils.languages import base_language, same_language, script_of

logger = logging.getLogger(__name__)

_SCRIPTS = {"Hans": ("Hani",), "Hant": ("Hani",), "Jpan": ("Hani", "Hira", "Kana"), "Kore": ("Hang", "Hani")}
"""Scripts of ISO 15924 that are several of Unicode's, or have another code there."""
_LETTER, _WORD = re.compile(r"[^\W\d_]"), re.compile(r"[^\W\d_]+")
_FEWEST_LETTERS, _SCRIPT_SHARE = 4, 0.5
_IDENTIFIED_LENGTH = 25
"""Weighted characters from which on the language is identified."""
_LANGUAGE_DOUBT, _OTHER_CERTAINTY = 0.02, 0.9
_COPIED_WORDS, _COPIED_CHARACTERS = 3, 12
_MAX_LENGTH_RATIO, _SMOOTHING = 3.0, 12
_INSTRUCTION_RATIO = 2.0
_CONCEPT_SHARE = 2 / 3
_SORRY = (
    r"sorry|apologi|unable|can(?:no|'|’)?t\b|mi dispiace|mi scus|mi rincresce|non posso|non sono in grado|désolé|"
    r"je ne (?:peux|suis)|lo siento|lamento|no puedo|desculp|sinto muito|não posso|leider|tut mir leid|kann ich|"
    r"ich kann|helaas|het spijt|kan ik|przykro|przepraszam|nie mogę|omlouv|bohužel|nemohu|извин|прошу прощения|"
    r"к сожалению|не могу|вибач|на жаль|не можу|ledsen|tyvärr|kan inte|beklager|desværre|kan ikke|pahoillani|"
    r"valitettavasti|sajnál|îmi pare rău|scuze|üzgünüm|maalesef|λυπάμαι|συγγνώμη|抱歉|对不起|對不起|无法|無法|申し訳|"
    r"すみません|できません|죄송|أعتذر|آسف|عذر|माफ़|क्षमा|maaf|xin lỗi"
)
_APOLOGY = re.compile(_SORRY, re.IGNORECASE)
_FIRST_WORDS = 40
_OF_MODELS = re.compile(
    r"\b(?:as an? (?:ai|language model)|language model|modello (?:linguistico|di lingua)|come (?:ia|ai)\b|sprachmodell|"
    r"als ki\b|modèle de langage|en tant qu(?:'|’)ia|modelo de (?:lenguaje|linguagem)|como (?:ia|una ia|um modelo)|"
    r"taalmodel|model językowy|jazykový model|språkmodell?|sprogmodel|kielimalli)|языков\w+ модел|мовн\w+ модел|"
    r"语言模型|語言模型|言語モデル|언어 모델|نموذج لغ|γλωσσικό μοντέλο",
    re.IGNORECASE,
)
_ASSISTING = re.compile(
    r"assist|help|aiut|assist|hel[fp]|aide|ayud|ajud|pom[oó]|помо|допомо|hjälp|hjælp|hjelp|帮|幫|手伝|お手伝|도와|도움|مساعد",
    re.IGNORECASE,
)
_ASSENT = re.compile(
    r"^\W{0,3}(?:ok(?:ay)?|sure|certainly|of course|certo|certamente|va bene|d'accordo|natürlich|gerne|klar|d'accord|"
    r"bien sûr|claro|por supuesto|com certeza|natuurlijk|oczywiście|jasne|jistě|конечно|хорошо|звичайно|självklart|"
    r"selvfølgelig|当然|好的|もちろん|了解|물론|بالتأكيد)\b[!,.:，。！]",
    re.IGNORECASE,
)


class TranslationCheck:
    """Finds what is no translation from one language into another.

    Of a script or language that is not known, only what needs no knowledge of it is found.
    """

    def __init__(self, source: str, target: str, accepted: Collection[str] = ()) -> None:
        """Take the codes of the languages, and the kinds of faults that are accepted."""
        self.source, self.target, self.accepted = source, target, frozenset(accepted)
        self._checks: dict[str, Callable[[str, str], bool]] = {
            "copied": self._is_copy,
            "declined": self._is_refusal,
            "obeyed": self._is_obeyed,
            "other_script": self._is_other_script,
            "other_language": self._is_other_language,
            "explained": self._is_explanation,
            "other_length": self._is_other_length,
        }

    def fault(self, translation: str, source: str) -> str:
        """The kind of fault of a translation, one line; empty if none is found."""
        faults = (
            kind
            for kind, is_fault in self._checks.items()
            if kind not in self.accepted and is_fault(translation, source)
        )
        return next(faults, "")

    def has_instructions(self, source: str) -> bool:
        """Whether a source gives a model instructions."""
        return has_instructions(source, self.source)

    def _is_copy(self, translation: str, source: str) -> bool:
        """A copy of several words; shorter ones are often names."""
        if same_language(self.source, self.target) or translation.casefold() != source.casefold():
            return False
        words = [word for word in split_words(source) if len(_LETTER.findall(word)) > 1 or not word.isascii()]
        return len(words) >= _COPIED_WORDS and sum(map(len, words)) >= _COPIED_CHARACTERS

    def _is_refusal(self, translation: str, source: str) -> bool:
        """An apology of a model at the beginning, of which the source has nothing."""
        if _OF_MODELS.search(translation):
            return not _OF_MODELS.search(source) and bool(patterns(self.source))
        if not _APOLOGY.search(translation[:_FIRST_WORDS]) or _APOLOGY.search(source) or not patterns(self.source):
            return False
        named = concepts(translation, self.target) | concepts(translation, "en")
        about_task = "translate" in named - source_concepts(source, self.source)
        return about_task or bool(_ASSISTING.search(translation) and not _ASSISTING.search(source))

    def _is_obeyed(self, translation: str, source: str) -> bool:
        """Whether the source has instructions, and the translation is not recognizably of these."""
        if not self.has_instructions(source):
            return False
        longer, shorter = (weighted_length(source) + 10, weighted_length(translation) + 10)
        ratio = longer / shorter if longer > shorter else shorter / longer
        if ratio > _INSTRUCTION_RATIO or translation.casefold().strip(" .!\"'") in source.casefold():
            return True
        if _ASSENT.match(translation) and not _ASSENT.match(source):
            return True
        if _repeats_payload(translation, source):
            return True
        named = source_concepts(source, self.source)
        retained = named & concepts(translation, self.target)
        return not patterns(self.target) or len(retained) < _CONCEPT_SHARE * len(named)

    def _is_other_script(self, translation: str, source: str) -> bool:
        """Whether most letters are not of the target's script; those of the source may be names."""
        letters = _LETTER.findall(translation)
        pattern = _letters_of(script_of(self.target))
        if pattern is None or len(letters) < _FEWEST_LETTERS:
            return False
        right = len(pattern.findall(translation))
        names = {word for word in _WORD.findall(source) if not pattern.search(word)}
        names_in_both = sum(len(word) for word in _WORD.findall(translation) if word in names)
        if right == 0 and names_in_both == len(letters):
            return len(split_words(translation)) >= _COPIED_WORDS
        return right < _SCRIPT_SHARE * (len(letters) - names_in_both)

    def _is_other_language(self, translation: str, source: str) -> bool:
        """Whether the language is identified, and is neither the target nor one of its forms."""
        if weighted_length(translation) < _IDENTIFIED_LENGTH:
            return False
        own = _forms_of(self.target)
        if not own:
            return False
        probabilities = dict(language_identifier().rank(translation))
        if sum(probabilities.get(code, 0.0) for code in own) >= _LANGUAGE_DOUBT:
            return False
        return max(probabilities.values()) >= _OTHER_CERTAINTY

    def _is_explanation(self, translation: str, source: str) -> bool:
        """Whether the translation is about translating, and the source is not."""
        if not patterns(self.source):
            return False
        named = concepts(translation, self.target) | (set() if self.target[:2] == "en" else concepts(translation, "en"))
        return "translate" in named - source_concepts(source, self.source)

    def _is_other_length(self, translation: str, source: str) -> bool:
        one, other = weighted_length(translation) + _SMOOTHING, weighted_length(source) + _SMOOTHING
        return max(one, other) > _MAX_LENGTH_RATIO * min(one, other)


def _repeats_payload(translation: str, source: str) -> bool:
    """Whether a word of the source occurs more often in the translation: it was translated and obeyed."""
    words = Counter(re.findall(r"\w{4,}", source))
    repeated = Counter(re.findall(r"\w{4,}", translation))
    return any(repeated[word] > count for word, count in words.items())


@cache
def _letters_of(script: str) -> regex.Pattern[str] | None:
    """A pattern of the letters of a script; None for one that Unicode does not have."""
    parts = _SCRIPTS.get(script, (script,))
    try:
        return regex.compile("|".join(rf"\p{{Script={part}}}" for part in parts)) if script else None
    except regex.error:
        return None


@cache
def _forms_of(language: str) -> frozenset[str]:
    """The languages that py3langid identifies as a language or one of its forms; none if it does not know it."""
    try:
        codes = language_identifier().nb_classes
    except ImportError:
        logger.info(
            "py3langid is not installed: translations into another language are recognized by their script alone "
            f"({install_command('langid')})"
        )
        return frozenset()
    if base_language(language) not in codes:
        return frozenset()
    return frozenset(code for code in codes if same_language(code, language))
