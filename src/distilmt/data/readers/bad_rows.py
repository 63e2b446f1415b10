"""Unreadable rows of a corpus: a few are counted and left out, many stop the reading."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from distilmt.data.pairs import Pair
from distilmt.utils.errors import UserError

logger = logging.getLogger(__name__)

_MAX_SHARE = 0.05
_SURE_AFTER = 1000
_EXAMPLES = 3

RowErrorCallback = Callable[[str], None]
"""Callback with the reason, for every row that is left out."""


def skip_unreadable(
    rows: Iterable[Pair | UserError], input_name: str, report: RowErrorCallback | None = None
) -> Iterator[Pair]:
    """Yield the readable rows; at the end log the number of unreadable rows, with the first few.

    Args:
        rows: pairs, and an error for each unreadable row.
        input_name: name of the input in messages.
        report: called for every row that is left out.

    Raises:
        UserError: more than one row in twenty is unreadable; the message is that of the first one.
    """
    total, bad, examples = 0, 0, list[str]()
    for total, row in enumerate(rows, 1):
        if not isinstance(row, UserError):
            yield row
            continue
        bad += 1
        examples = examples if len(examples) == _EXAMPLES else [*examples, str(row)]
        if report:
            report(str(row))
        if bad >= _SURE_AFTER and bad > _MAX_SHARE * total:
            break
    if bad > _MAX_SHARE * total:
        raise UserError(examples[0] + (f" ({bad:,} of {total:,} rows cannot be read)" if bad > 1 else ""))
    if bad:
        more = f"; and {bad - len(examples):,} more" if bad > len(examples) else ""
        logger.info(
            f"{input_name}: left out {bad:,} of {total:,} rows that cannot be read: {'; '.join(examples)}{more}"
        )
