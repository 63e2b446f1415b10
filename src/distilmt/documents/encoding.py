"""The character encoding of a document: from its byte order mark, the user, or its own declaration."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from distilmt.documents.html_charset import declared_encoding
from distilmt.utils.errors import UserError

# UTF-32 before UTF-16: its little-endian byte order mark begins with that of UTF-16.
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PO_CHARSET = re.compile(r'^("Content-Type: [^"\n]{0,99}charset=)([\w.:-]+)', re.MULTILINE)
# Formats that can write a character outside the encoding in another way.
_REFERENCES = (".html", ".htm", ".md", ".markdown", ".vtt")
_PLAIN = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-", 0x2026: "...", 0xA0: " "}


class EncodingError(UserError):
    """A document in another encoding than it was read in; whoever can name the encoding adds how."""

    def __init__(self, message: str, likely: str = "cp1252") -> None:
        """Explain what cannot be read.

        Args:
            message: what is wrong and the remedy that is always possible, conversion.
            likely: an encoding that it may have.
        """
        super().__init__(message)
        self.likely = likely


@dataclass(frozen=True)
class DecodedText:
    """A document's text and encoding, with a method to encode a text."""

    text: str
    encode: Callable[[str], bytes]


def python_encoding(name: str) -> str:
    """The codec of a user-supplied name.

    Raises:
        UserError: Python has no text codec of that name.
    """
    try:
        "a".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        raise UserError(f"--encoding {name!r} is unknown: use one such as utf-8, cp1252 or shift_jis") from None


def decode_document(data: bytes, suffix: str, encoding: str | None = None) -> DecodedText:
    """Decode a document.

    Args:
        data: its content.
        suffix: its extension, which gives the format.
        encoding: encoding of a document without a byte order mark; None: the declared one, else UTF-8.

    Raises:
        EncodingError: it is not in that encoding, or has NUL characters.
        UserError: the encoding is unknown; encoding a translation raises it too, if the encoding lacks a character.
    """
    bom, name = next(((m, n) for m, n in _BOMS if data.startswith(m)), (b"", ""))
    name = name or (python_encoding(encoding) if encoding else "") or _declared(data, suffix) or "utf-8"
    text = _text(data, bom, name)
    # Files of old Macs end lines with CR only, which no format supports.
    old = "\r" in text and "\n" not in text
    read = text.replace("\r", "\n") if old else text

    def encode(translation: str) -> bytes:
        translation = translation.replace("\n", "\r") if old else translation
        return bom + _encoded(translation, name, suffix, text)

    return DecodedText(read, encode)


def _declared(data: bytes, suffix: str) -> str | None:
    """The encoding that a page or a message catalog declares; UTF-8 if the content is valid UTF-8."""
    if suffix in (".html", ".htm"):
        return declared_encoding(data)
    if suffix == ".po" and (match := _PO_CHARSET.search(data[:20_000].decode("latin-1"))):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            try:
                return codecs.lookup(match[2]).name
            except LookupError:
                return None
    return None


def _text(data: bytes, bom: bytes, name: str) -> str:
    try:
        text = data[len(bom) :].decode(name)
    except UnicodeDecodeError as error:
        start = error.start + len(bom)
        line = data.count(b"\n", 0, start) + 1
        shown = "UTF-8" if name == "utf-8" else name
        raise EncodingError(f"not {shown} at byte {start} (line {line}): convert it to UTF-8") from None
    except LookupError:
        raise EncodingError(f"cannot be read as {name}: convert it to UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise EncodingError(
            f"has NUL characters (line {line}), so it is not text: convert it to UTF-8", likely="utf-16-le"
        )
    return text


def _encoded(translation: str, name: str, suffix: str, source: str) -> bytes:
    if suffix == ".po" and name != "utf-8":
        translation = _with_charset_of(source, translation)
    if suffix in _REFERENCES:
        return translation.encode(name, "xmlcharrefreplace")
    if suffix == ".json":
        translation = "".join(c if _has(c, name) else _escape(c) for c in translation)
    translation = translation.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    translation = (
        "".join(c if _has(c, name) else _PLAIN.get(ord(c), c) for c in translation)
        if not translation.isascii()
        else translation
    )
    try:
        return translation.encode(name)
    except UnicodeEncodeError as error:
        if suffix == ".po":
            return _PO_CHARSET.sub(r"\g<1>UTF-8", translation, count=1).encode()
        lost = translation[error.start]
        raise UserError(
            f"the translation has {lost!r} (U+{ord(lost):04X}), which {name} cannot encode: convert the file to UTF-8"
        ) from None


def _with_charset_of(source: str, translation: str) -> str:
    match = _PO_CHARSET.search(source)
    return _PO_CHARSET.sub(lambda m: m[1] + match[2], translation, count=1) if match else translation


def _escape(character: str) -> str:
    raw = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[i : i + 2].hex()}" for i in range(0, len(raw), 2))


def _has(character: str, name: str) -> bool:
    if character.isascii() or name.startswith("utf"):
        return True
    try:
        character.encode(name)
        return True
    except UnicodeEncodeError:
        return False
