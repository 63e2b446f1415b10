"""What became of a document's texts: how many were translated, and how many were left as they stood, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

_NAMED = 5  # places that a line of the summary names


@dataclass
class SkippedTexts:
    """Texts that were left as they stood, all for one reason."""

    reason: str
    """A phrase that may follow "left as they stood:", such as `a placeholder got lost`."""
    count: int = 0
    places: list[str] = field(default_factory=list)
    """Where the first few stand, such as `line 12`."""

    def __str__(self) -> str:
        shown = [place for place in self.places if place][:_NAMED]
        more = ", ..." if shown and self.count > len(shown) else ""
        where = f" ({', '.join(shown)}{more})" if shown else ""
        texts = "1 text left as it stood" if self.count == 1 else f"{self.count} texts left as they stood"
        return f"{texts}: {self.reason}{where}"


@dataclass
class DocumentReport:
    """Counts of one document. Formats add to it while they translate; the command prints `lines`."""

    translated: int = 0
    """Texts that were given to the model and written."""
    skipped: dict[str, SkippedTexts] = field(default_factory=dict)
    """By reason."""

    def skip(self, reason: str, place: str = "", count: int = 1) -> None:
        """Count texts that should have been translated and are not.

        Args:
            reason: a phrase, the same for all texts of a kind; nothing of the text itself belongs in it.
            place: where it stands, for example `line 12`; empty if that is not known.
            count: how many.
        """
        skipped = self.skipped.setdefault(reason, SkippedTexts(reason))
        skipped.count += count
        if place and len(skipped.places) < _NAMED:
            skipped.places.append(place)

    @property
    def left(self) -> int:
        """Texts that were left as they stood, for all reasons together."""
        return sum(skipped.count for skipped in self.skipped.values())

    def lines(self) -> list[str]:
        """One line for each reason; nothing if nothing was left."""
        return [str(skipped) for skipped in self.skipped.values()]
