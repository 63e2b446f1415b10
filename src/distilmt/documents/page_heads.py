"""Front matter of Markdown files (YAML, TOML, JSON): its readable texts are counted, since they are not translated."""

from __future__ import annotations

import re

from distilmt.documents import Translate, report_of

_SEEN = re.compile(
    r"""^[ \t]*["']?(?:title|description|summary|subtitle|excerpt|linkTitle|sidebar_label|tagline|caption)["']?
        [ \t]*[:=][ \t]*(?=.*[^\W\d_])\S.*$ | \A%[ \t]+(?=.*[^\W\d_])\S.*$""",
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)


def skip_head(head: str, translate: Translate) -> None:
    """Count titles and descriptions in the front matter in the report.

    Args:
        head: front matter with its delimiters; empty if a file has none.
    """
    if count := len(_SEEN.findall(head)):
        report_of(translate).skip("it is a title or a description in the front matter", count=count)
