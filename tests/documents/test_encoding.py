import codecs

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from distilmt.documents import translate_document
from distilmt.documents.encoding import decode_document
from distilmt.utils.errors import UserError

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@given(texts, st.sampled_from(sorted(MARKS)), st.sampled_from([".txt", ".md", ".srt", ".json", ".html", ".po"]))
def test_a_marked_document_is_read_and_written_in_its_encoding(text, name, suffix):
    assume(not (name.endswith("16-le") and text.startswith("\0")))
    data = MARKS[name] + text.encode(name)
    document = decode_document(data, suffix, encoding="cp1252")
    assert document.text.replace("\n", "\r") == text.replace("\n", "\r")
    assert document.encode(document.text) == data


@given(texts, st.sampled_from(["cp1252", "iso8859-5", "shift_jis", "gb18030", "koi8-r", "utf-16-le"]))
def test_a_named_encoding_is_read_and_written(text, name):
    data = text.encode(name, "ignore")
    assume(data.decode(name).encode(name) == data and not data.startswith(tuple(MARKS.values())))
    document = decode_document(data, ".txt", name)
    assert document.encode(document.text) == data


@given(st.binary(max_size=60), st.sampled_from([".txt", ".md", ".po", ".html", ".json"]))
def test_any_bytes_are_read_back_or_refused_in_a_line(data, suffix):
    try:
        document = decode_document(data, suffix)
    except UserError as error:
        assert "convert it to UTF-8" in str(error) and "\n" not in str(error)
        return
    assert "\0" not in document.text and document.encode(document.text) == data


def test_nul_is_refused_with_its_line():
    for data in ("A small editor.".encode("utf-16-le"), b"a\nb\0c"):
        with pytest.raises(UserError, match=r"a\.txt: has NUL characters \(line [12]\).*convert it to UTF-8$"):
            translate_document(data, "a.txt", list)
    with pytest.raises(UserError, match="'nonsense' is unknown"):
        translate_document(b"a", "a.txt", list, encoding="nonsense")
    with pytest.raises(UserError, match=r"not UTF-8 at byte 4 \(line 2\): convert it to UTF-8$"):
        decode_document(b"a\nbc\xe9", ".txt")


def test_what_an_encoding_lacks_is_written_as_each_format_can():
    def output(texts):
        return ["perché “Ж”" for _ in texts]

    page = b"<meta charset=iso-8859-1><p>caf\xe9 text</p>"
    assert b"perch\xe9 \x93&#1046;\x94" in translate_document(page, "a.html", output)
    assert b"perch\\u00e9" in translate_document(b'{"a": "one text"}', "a.json", output, encoding="ascii")
    assert translate_document(b"caf\xe9", "a.txt", lambda texts: ["l’x…"], encoding="latin-1") == b"l'x..."
    with pytest.raises(UserError, match=r"'Ж' \(U\+0416\), which cp1252 cannot encode"):
        translate_document(b"caf\xe9", "a.txt", output, encoding="cp1252")


def test_a_catalogue_stays_in_its_charset_as_long_as_that_has_all_letters():
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=ISO-8859-1\\n"\n\nmsgid "caf\xe9 one"\nmsgstr ""\n'
    data = head.encode("latin-1")
    instance = translate_document(data, "a.po", lambda texts: ["perch\xe9"] * len(texts))
    assert b"charset=ISO-8859-1" in instance and b'msgstr "perch\xe9"' in instance
    instance = translate_document(data, "a.po", lambda texts: ["Ж"] * len(texts)).decode("utf-8")
    assert "charset=UTF-8" in instance and 'msgstr "Ж"' in instance and "caf\xe9" in instance


def test_carriage_returns_alone_end_lines():
    assert translate_document(b"one\rtwo\r", "a.txt", lambda texts: [t.upper() for t in texts]) == b"ONE\rTWO\r"
    srt = b"1\r00:00:01,000 --> 00:00:02,000\rone text\r"
    assert b"ONE TEXT\r" in translate_document(srt, "a.srt", lambda texts: [t.upper() for t in texts])
