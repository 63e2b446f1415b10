"""Report of a document: how many texts were translated, how many were left unchanged, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

_NAMED = 5  # maximum places in a line of the summary


@dataclass
class SkippedTexts:
    """Texts left unchanged for one reason."""

    reason: str
    """A phrase for after "left unchanged:", such as `a placeholder got lost`."""
    count: int = 0
    places: list[str] = field(default_factory=list)
    """Places of the first few, such as `line 12`."""

    def __str__(self) -> str:
        shown = [place for place in self.places if place][:_NAMED]
        more = ", ..." if shown and self.count > len(shown) else ""
        where = f" ({', '.join(shown)}{more})" if shown else ""
        texts = "1 text left unchanged" if self.count == 1 else f"{self.count} texts left unchanged"
        return f"{texts}: {self.reason}{where}"


@dataclass
class DocumentReport:
    """Counts of one document. Formats fill it during translation; the command prints `lines`."""

    translated: int = 0
    """Number of translated texts."""
    skipped: dict[str, SkippedTexts] = field(default_factory=dict)
    """By reason."""

    def skip(self, reason: str, place: str = "", count: int = 1) -> None:
        """Count texts that should have been translated and are not.

        Args:
            reason: a phrase, the same for all texts of a kind; it must not contain the text itself.
            place: place in the document, for example `line 12`; empty if unknown.
            count: number of texts.
        """
        skipped = self.skipped.setdefault(reason, SkippedTexts(reason))
        skipped.count += count
        if place and len(skipped.places) < _NAMED:
            skipped.places.append(place)

    @property
    def left(self) -> int:
        """Number of texts left unchanged, for all reasons together."""
        return sum(skipped.count for skipped in self.skipped.values())

    def lines(self) -> list[str]:
        """One line for each reason; empty if all texts were translated."""
        return [str(skipped) for skipped in self.skipped.values()]
