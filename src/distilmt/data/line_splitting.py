"""Split lines of several sentences, with the splitter that translation uses: a student then sees what it will get."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from distilmt.data.pairs import Pair
from distilmt.data.sentence_splitter import sentences

logger = logging.getLogger(__name__)


def split_lines(pairs: Iterable[Pair], name: str, monolingual: bool) -> Iterator[Pair]:
    """The pairs with one sentence each; a pair whose sides have different numbers of sentences stays whole.

    Args:
        pairs: pairs of a source.
        name: name of the source, for a message.
        monolingual: whether the targets are empty.
    """
    split = whole = 0
    for pair in pairs:
        sources = sentences(pair.source)
        targets = [""] * len(sources) if monolingual else sentences(pair.target)
        if max(len(sources), len(targets)) < 2:
            yield pair
        elif len(sources) != len(targets):
            whole += 1
            yield pair
        else:
            split += 1
            for part, (source, target) in enumerate(zip(sources, targets, strict=True), 1):
                yield pair._replace(source=source, target=target, part=part)
    if split or whole:
        logger.info(
            f"corpus, {name}: {split:,} lines of several sentences are split; {whole:,} stay whole, since their sides"
            " have different numbers of sentences"
        )
