"""The character encoding that a page declares."""

from __future__ import annotations

import codecs
import re

_HEAD = 4096
_META = re.compile(rb"<meta\b[^>]*?\bcharset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
# As in browsers.
_LABELS = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252"}
_LABELS |= {"iso-8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "x-sjis": "cp932"}
_LABELS |= {"ks_c_5601-1987": "cp949", "euc-kr": "cp949", "tis-620": "cp874", "windows-31j": "cp932"}


def declared_encoding(data: bytes) -> str | None:
    """The Python name of the encoding that an HTML page declares.

    None if it declares none or an unknown one, or if the page is valid UTF-8 with more than ASCII. With the error
    handler `xmlcharrefreplace` a translation can be written in that encoding
    again.
    """
    head = re.sub(rb"<!--.*?(?:-->|\Z)", b"", data[:_HEAD], flags=re.DOTALL)
    match = _META.search(head) or _XML.search(head)
    if not match:
        return None
    label = match[1].decode("ascii").lower()
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
        "".encode(name)
    except (LookupError, UnicodeError):
        return None
    if name.startswith("utf"):
        return None
    if not data.isascii() and _is_utf8(data):
        return None
    return name if _round_trip(data, name) else _latin1(name)


def _round_trip(data: bytes, name: str) -> bool:
    try:
        return data.decode(name).encode(name) == data
    except (UnicodeError, LookupError):
        return False


def _latin1(name: str) -> str | None:
    """For an undefined byte of Windows-1252, browsers use the control character of that number."""
    return "iso8859-1" if name == "cp1252" else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
