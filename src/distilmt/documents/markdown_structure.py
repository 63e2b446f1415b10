"""The structure of Markdown as parsed by markdown-it, without text, to compare a translation with its source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from distilmt.documents.html_attributes import readable_attributes
from distilmt.documents.html_tokenizer import tokenize_html
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.json_types import JsonObject

if TYPE_CHECKING:
    from markdown_it.token import Token

_DEPTH = 60  # maximum nesting of blocks; markdown-it drops deeper ones


class LinkDefinition(TypedDict, total=False):
    """A definition of a reference, as markdown-it has it."""

    href: str
    title: str
    map: list[int]
    """First line, and the one after the last."""


class TokenShape(NamedTuple):
    """A token of markdown-it without its text."""

    type: str
    tag: str
    markup: str
    info: str
    """Language of a fence."""
    hidden: bool
    content: str | tuple[str, ...]
    """Code, or an HTML tag without its readable attributes."""
    attributes: list[tuple[str, str | int | float]]


class MarkdownStructure:
    """Parses files and texts; stores the references that the file defines."""

    def __init__(self) -> None:
        try:
            from markdown_it import MarkdownIt
            from mdit_py_plugins.admon import admon_plugin
            from mdit_py_plugins.deflist import deflist_plugin
            from mdit_py_plugins.footnote import footnote_plugin
        except ImportError:
            packages = "markdown-it-py and mdit-py-plugins"
            raise UserError(f"reading .md files needs {packages}: {install_command('documents')}") from None
        self._inline = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        blocks = MarkdownIt("commonmark", {"maxNesting": _DEPTH}).enable("table")
        self._blocks = blocks.use(admon_plugin).use(deflist_plugin).use(footnote_plugin)
        # Inline content is parsed text by text: for a whole file the time can grow with the square of the length.
        self._blocks.core.ruler.enableOnly(["normalize", "block"])
        self._environment: JsonObject = {}

    @property
    def references(self) -> dict[str, LinkDefinition]:
        """Link definitions of the file last parsed by `blocks`, by name."""
        return dict(self._environment.get("references", {}))

    @property
    def definitions(self) -> list[LinkDefinition]:
        """Definitions of references with their titles, including duplicates."""
        return [*self.references.values(), *self._environment.get("duplicate_refs", [])]

    def blocks(self, text: str) -> Sequence[Token]:
        """A file's blocks as tokens of markdown-it; `inline` tokens have text but no children."""
        self._environment = {}
        return list(self._blocks.parse(text, self._environment))

    def outline(self, text: str) -> list[TokenShape | str]:
        """The structure of a file's blocks without their content, and the names of its references."""
        environment: JsonObject = {}
        tokens = self._blocks.parse(text, environment)
        return [*map(_shape, tokens), *sorted(environment.get("references", {}))]

    def inline(self, text: str) -> list[TokenShape]:
        """The markup of a text."""
        return _markup(self._inline.parseInline(text, dict(self._environment)))


def _markup(tokens: Sequence[Token] | None) -> list[TokenShape]:
    markup: list[TokenShape] = []
    for token in tokens or ():
        if token.type in ("text", "text_special", "inline"):
            markup += _markup(token.children)
            continue
        markup.append(_shape(token))
        markup += _markup(token.children) if token.type != "image" else []
    return markup


def _shape(token: Token) -> TokenShape:
    is_code = token.type in ("fence", "code_block", "code_inline")
    content = token.content if is_code else _bare(token.content) if token.type == "html_inline" else ""
    return TokenShape(
        type=token.type,
        tag=token.tag,
        markup=token.markup,
        info=token.info if token.type == "fence" else "",
        hidden=token.hidden,
        content=content,
        attributes=sorted((k, "" if k == "title" else v) for k, v in token.attrs.items() if k != "alt"),
    )


def _bare(tag: str) -> tuple[str, ...]:
    """A tag without its readable attributes."""
    (token, *_) = tokenize_html(tag)
    read = {match[1] for match in readable_attributes(token)}
    return token.kind, token.name, *(match[0] for name, match in token.attributes if match[1] not in read)
