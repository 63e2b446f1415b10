"""Every format: what is not text is the same before and after, whatever a model translates; bad files are refused."""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.document_models import backwards, nothing, same, upper
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html
from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin

from distilmt.documents import SUFFIXES, translate_document, translate_html
from distilmt.utils.errors import UserError

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.iterdir())
TEXT = '{"title": "A guide", "n": 1.50, "list": ["See <b>this</b> {name}.", "x-y"], "big": 12345678901234567890}\n'
HOSTILE = "* <b> | `x [y](z) --> & \n# {q} %s $a \\ 1. "


def hostile(texts):
    return [HOSTILE + text for text in texts]


def chinese(texts):
    return ["这是一个很长的翻译句子。" for _ in texts]


MODELS = [same, upper, backwards, nothing, hostile, chinese]


def tree(root):
    """Tags and attributes, without text and what readers read of attributes."""
    read = ("alt", "title", "placeholder", "aria-label", "content", "label")
    return [(str(e.tag), sorted((k, v) for k, v in e.attrib.items() if k not in read)) for e in root.iter()]


def html_skeleton(data: bytes):
    return tree(lxml_html.document_fromstring(data.decode() or "<p></p>"))


def md_skeleton(data: bytes):
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(footnote_plugin).render(data.decode())
    return tree(lxml_html.document_fromstring(f"<div>{rendered}</div>"))


def cue_skeleton(data: bytes):
    lines = data.decode().split("\n")
    remaining = [line for line in lines if "-->" in line or not line.strip() or line.isdigit()]
    return len(lines), remaining, re.findall(r"<[^>]*>", data.decode())


def po_skeleton(data: bytes):
    entries = re.sub(r'(?m)^(msgstr(?:\[\d\])?) (?:"[^\n]*"\n?)+', r"\1\n", data.decode())
    return entries


def docx_skeleton(data: bytes):
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    for name, content in parts.items():
        if re.fullmatch(r"word/(document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml", name):
            root = etree.fromstring(content)
            for node in root.iter("{*}t"):
                node.text = ""
                node.attrib.clear()
            parts[name] = etree.tostring(root, method="c14n")
    return list(parts.items())


def json_skeleton(data: bytes):
    def bare(value):
        if isinstance(value, dict):
            return {key: bare(inner) for key, inner in value.items()}
        return (
            [bare(inner) for inner in value] if isinstance(value, list) else None if isinstance(value, str) else value
        )

    return bare(json.loads(data))


SKELETONS = {
    ".html": html_skeleton,
    ".md": md_skeleton,
    ".srt": cue_skeleton,
    ".vtt": cue_skeleton,
    ".po": po_skeleton,
    ".docx": docx_skeleton,
    ".json": json_skeleton,
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_of_real_programs_keep_their_structure(path, model):
    before = path.read_bytes()
    after = translate_document(before, path.name, model)
    skeleton = SKELETONS[path.suffix]
    assert skeleton(after) == skeleton(before)
    if model is upper:
        assert after != before
    if model is same and path.suffix not in (".po", ".docx"):
        assert after == before


@pytest.mark.parametrize("model", MODELS)
def test_json_and_text(model):
    after = translate_document(TEXT.encode(), "x.json", model)
    assert json_skeleton(after) == json_skeleton(TEXT.encode())
    assert json.loads(after)["list"][1] == "x-y" and b"1.50" in after and "{name}" in json.loads(after)["list"][0]
    only = json.loads(translate_document(TEXT.encode(), "x.json", upper, ("list",)))
    assert only["title"] == "A guide" and only["list"][0] == "SEE <b>THIS</b> {name}."
    text = b"\xef\xbb\xbfOne.  Two %s.\r\n\r\n  \tSee https://a.b/c, it is so.\r\nno end"
    instance = translate_document(text, "x.txt", model)
    assert instance.count(b"\r\n") == 3 and instance.startswith(b"\xef\xbb\xbf")
    assert b"%s" in instance and b"https://a.b/c" in instance
    assert translate_document(text, "x.txt", same) == text


PIECES = ["a", "Bc ", "d. ", "**", "*", "_", "`", "[", "](u)", "]", "<b>", "</b>", "<br>", "&amp;", "\\*", "!", "\n"]
PIECES += [
    "\n\n",
    "- ",
    "> ",
    "1. ",
    "# ",
    "| ",
    "%s",
    "https://a.b",
    "{x}",
    "  ",
    "é",
    "字。",
    "<!-- c -->",
    "$",
    "~~",
]
MARKUP = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=example_count(60), deadline=None)
@given(MARKUP)
def test_identity_changes_no_byte(text):
    for name in ("x.html", "x.md", "x.txt"):
        assert translate_document(text.encode(), name, same) == text.encode(), name


@settings(max_examples=example_count(60), deadline=None)
@given(MARKUP, st.sampled_from(MODELS))
def test_structure_is_preserved_whatever_comes(text, model):
    data = text.encode()
    assert md_skeleton(translate_document(data, "x.md", model)) == md_skeleton(data)
    tags = re.compile(r"</?\w+>|<!--.*?-->")
    assert tags.findall(translate_html(text, model)) == tags.findall(text)
    assert translate_document(data, "x.txt", model).count(b"\n") == data.count(b"\n")


def test_markdown_keeps_its_links_code_and_head():
    head, code = "---\ntitle: a\n---\n\n", "\n```\ncode\n```\n\n"
    text = '# A *b* [c](u "t")\n\nUse `x y` and\n**this** now.\n', "| a | b \\| c |\n|--|--|\n| d | e |\n"
    read = '# A *B* [C](u "T")\n\nUSE `x y` AND\n**THIS** NOW.\n', "| A | B \\| C |\n|--|--|\n| D | E |\n"
    instance = translate_document((head + code.join(text)).encode(), "x.md", upper).decode()
    assert instance == head + code.join(read)


def test_html_leaves_code_and_translates_what_is_read():
    page = '<p title="a word">One <code>two</code> <b>three</b>.<script>a<b</script></p><i translate="no">x</i>'
    read = '<p title="A WORD">ONE <code>two</code> <b>THREE</b>.<script>a<b</script></p><i translate="no">x</i>'
    assert translate_html(page, upper) == read
    assert translate_html("<p>a &lt; b</p>", upper) == "<p>A &lt; B</p>"
    assert translate_html("<p>a</p>", lambda texts: ["<script>x</script>"]) == "<p>&lt;script&gt;x&lt;/script&gt;</p>"


def test_docx_of_word_processors():
    docx = (DATA / "libreoffice.docx").read_bytes()
    with zipfile.ZipFile(io.BytesIO(translate_document(docx, "a.docx", upper))) as package:
        text = {name: package.read(name).decode() for name in package.namelist() if name.endswith(".xml")}
    assert "KILOMETRES" in text["word/document.xml"] and "A GUIDE FOR WALKERS" in text["word/header1.xml"]
    assert "OF THE GUIDE" in text["word/footer1.xml"] and "FOOTNOTE" in text["word/footnotes.xml"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_po_head_without_a_line(end):
    lines = ['msgid ""', 'msgstr ""', "", 'msgid "One."', 'msgstr ""', ""]
    lines += ['msgid ""', '"Two.\\n"', '"Three."', 'msgstr ""', ""]
    result = translate_document(end.join(lines).encode(), "a.po", upper).decode()
    lines[4], lines[9] = 'msgstr "ONE."', end.join(['msgstr ""', '"TWO.\\n"', '"THREE."'])
    assert result == end.join(lines)


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="needs gettext")
@pytest.mark.parametrize("model", [upper, backwards, chinese, nothing])
def test_gettext_takes_what_was_filled(tmp_path, model):
    target = tmp_path / "a.po"
    target.write_bytes(translate_document((DATA / "gettext.po").read_bytes(), "a.po", model))
    process = subprocess.run(["msgfmt", "--check", "-o", tmp_path / "a.mo", target], capture_output=True, check=False)
    assert process.returncode == 0, process.stderr.decode()
    assert b'\nmsgstr ""\n\n' not in target.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("soffice") and shutil.which("pandoc")), reason="needs LibreOffice and pandoc")
def test_fresh_files_of_libreoffice_and_pandoc(tmp_path):
    source = tmp_path / "a.md"
    source.write_bytes((DATA / "pandoc.md").read_bytes())
    subprocess.run(["pandoc", source, "-o", tmp_path / "a.odt"], check=True, timeout=100)
    for kind in ("docx", "html"):
        command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", kind]
        subprocess.run(
            [*command, "--outdir", tmp_path, tmp_path / "a.odt"], check=True, timeout=200, capture_output=True
        )
        before = (tmp_path / f"a.{kind}").read_bytes()
        after = translate_document(before, f"a.{kind}", upper)
        assert SKELETONS[f".{kind}"](after) == SKELETONS[f".{kind}"](before) and after != before
        (tmp_path / f"b.{kind}").write_bytes(after)
    again = subprocess.run(["pandoc", tmp_path / "b.docx", "-t", "plain"], check=True, timeout=100, capture_output=True)
    assert "KILOMETRES" in again.stdout.decode()


def zipped(**parts: bytes) -> bytes:
    instance = io.BytesIO()
    with zipfile.ZipFile(instance, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name.replace("__", "/") + ".xml", content)
    return instance.getvalue()


BOMB = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><a>&d;</a>'
FILE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.pdf", b"x", "use .txt"),
        ("a", b"x", "without extension"),
        ("a.txt", b"a\nb\xff", r"not UTF-8 at byte 3 \(line 2\)"),
        ("a.srt", b"no cues", "no subtitles"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[" * 100_000, "nested deeper"),
        ("a.po", b"/etc/passwd", "msgid"),
        ("a.docx", b"PK\x03\x04 no zip", "not a .docx"),
        ("a.docx", zipped(a=b"x"), "word/document.xml is missing"),
        ("a.docx", zipped(word__document=BOMB), "document type"),
        ("a.docx", zipped(word__document=FILE), "document type"),
        ("a.docx", zipped(word__document=b"<a>"), "is damaged"),
        ("a.docx", zipped(word__document=b"<a>" * 50_000), "is damaged"),
        ("a.docx", zipped(word__media=b"\0" * (70 << 20)), "larger than 64 MiB"),
    ],
)
def test_what_is_broken_or_created_to_harm_is_refused_in_a_line(name, data, message):
    with pytest.raises(UserError, match=message) as result:
        translate_document(data, name, upper)
    assert str(result.value).startswith(name) and "\n" not in str(result.value) and "root:" not in str(result.value)


def test_numbers_of_any_size_stay():
    data = b'{"a": ' + b"9" * 10_000 + b', "b": 1e999999, "c": "one word"}'
    assert translate_document(data, "a.json", upper) == data.replace(b"one word", b"ONE WORD")


@pytest.mark.parametrize(("module", "suffix"), [("lxml", ".docx"), ("markdown_it", ".md"), ("polib", ".po")])
def test_missing_packages_are_named(monkeypatch, module, suffix):
    path = next(path for path in FILES if path.suffix == suffix)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"pip install .*\[documents\]"):
        translate_document(path.read_bytes(), path.name, upper)


def test_every_ending_is_recognized():
    assert {path.suffix for path in FILES} <= set(SUFFIXES)


def test_plain_text_needs_none_of_the_packages():
    code = (
        "import sys; from distilmt.documents import translate_document as t; t(b'a', 'a.txt', list);"
        "print(*[m for m in ('torch', 'lxml', 'markdown_it', 'polib', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"\n"


def test_a_sampled_model_loses_no_mark():
    """Words dropped, doubled and shuffled at random, a hundred times."""
    text = (
        "<p>The <b>quick</b> fox, see <a href='u'>the <i>guide</i></a>, runs %d of {n} times to <code>x</code> now.</p>"
    )
    for seed in range(100):
        rng = random.Random(seed)

        def model(texts, rng=rng):
            words = [text.split() for text in texts]
            return [" ".join(rng.choices(w, k=rng.randint(0, 2 * len(w)))) for w in words]

        instance = translate_html(text, model)
        assert re.findall(r"<[^>]*>", instance) == re.findall(r"<[^>]*>", text)
        assert sorted(re.findall(r"%d|\{n\}", instance)) == ["%d", "{n}"], "a named one may move"
