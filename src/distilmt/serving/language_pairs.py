"""The language pairs of models that read text, pictures or speech."""

from __future__ import annotations

from distilmt.serving import language_codes
from distilmt.serving.catalog import ModelsByPair, PairModels
from distilmt.serving.errors import ApiError


class LanguagePairs:
    """Models by source and target language."""

    def __init__(self, by_languages: ModelsByPair, without: str) -> None:
        """Serve models.

        Args:
            by_languages: the models; may be empty.
            without: the message to clients if it is.
        """
        self.by_languages, self.without = by_languages, without
        self.targets: dict[str, list[str]] = {}
        """Target languages by source language."""
        for source, target in sorted(by_languages):
            self.targets.setdefault(source, []).append(target)

    def __bool__(self) -> bool:
        return bool(self.by_languages)

    @property
    def languages(self) -> set[str]:
        """All source and target languages."""
        return {code for pair in self.by_languages for code in pair}

    def language(self, code: str) -> str:
        """The served language of a code.

        Raises:
            ApiError: the language is not served, or there are no models (400).
        """
        if not self.by_languages:
            raise ApiError(400, self.without)
        served_code = language_codes.closest(code, self.languages)
        if served_code is None:
            raise ApiError(400, f"{code} is not supported")
        return served_code

    def pair(self, source: str, target: str) -> PairModels | None:
        """The models of a language pair; None if both are the same language.

        Raises:
            ApiError: a language or the pair is not served, or there are no models (400).
        """
        pair = self.by_languages.get((self.language(source), self.language(target)))
        if pair is None and self.language(source) != self.language(target):
            (target_name, source_name) = (
                language_codes.name(language_codes.normalize_code(code)) for code in (target, source)
            )
            raise ApiError(
                400, f"{target_name} ({target}) is not available as a target language from {source_name} ({source})"
            )
        return pair

    def detectionless_pair(self, source: str, target: str, content: str) -> PairModels:
        """The models for content whose language is not detected; `auto` is the only one translated into the target.

        Args:
            source: a code, or `auto`.
            target: a code.
            content: what it is, in messages: `a picture`.

        Raises:
            ApiError: as `pair`; both are the same language, or several languages are translated into the target (400).
        """
        if source == "auto":
            sources = sorted(self.sources(self.language(target)))
            if len(sources) != 1:
                served = ", ".join(sources) or "none"
                raise ApiError(400, f"The language of {content} is not detected: set source ({served})")
            (source,) = sources
        pair = self.pair(source, target)
        if pair is None:
            raise ApiError(400, f"Invalid request: source and target are the same language, {target}")
        return pair

    def sources(self, target: str | None) -> set[str]:
        """The languages that are translated into a language, or into any."""
        return {source for source, other in self.by_languages if target in (None, other)}
