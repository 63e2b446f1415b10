"""Public complaints about lines, characters and Word documents; the numbers are those of the team's list."""

import io
import sys
import zipfile

import pytest

from distilmt import cli
from distilmt.documents import translate_document
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError


@pytest.fixture(scope="module")
def translator(exported_model):
    return Translator(exported_model, threads=1)


class Stream(io.TextIOWrapper):
    def isatty(self):
        return False


@pytest.fixture
def command(capsysbinary, monkeypatch, exported_model):
    def run(*arguments, text=b"", status=0):
        monkeypatch.setattr(sys, "stdin", Stream(io.BytesIO(text)))
        capsysbinary.readouterr()
        assert cli.main(["translate", str(exported_model), "--threads", "1", *map(str, arguments)]) == status
        return capsysbinary.readouterr()

    return run


def test_t08_symbols_are_preserved(translator):
    translations = translator.translate(["🎉 ban der ✓", "• ban der → fith ban", "ban der 👍"])
    assert translations[0].startswith("🎉 ") and translations[0].endswith(" ✓")
    assert translations[1].startswith("• ") and translations[1].count("→") == 1
    assert translations[2].endswith(" 👍")
    page = translate_document("<p>ban <b>der</b> ✓</p>".encode(), "a.html", translator.translate).decode()
    assert page.count("✓") == 1


def test_t09_no_replacement_character_comes_out(translator):
    texts = ["👨‍👩‍👧‍👦", "ＦＵＬＬ ｗｉｄｔｈ ｔｅｘｔ", "ban 漢字 der", "\U00012000 ban", "𝔟𝔞𝔫"]
    hypotheses = [
        h.text
        for ranked in translator.candidates(texts, DecodingOptions(beam_size=4, num_hypotheses=4))
        for h in ranked
    ]
    assert "\ufffd" not in "".join([*translator.translate(texts), *hypotheses])
    assert translator.translate(["ｂａｎ　ｄｅｒ."]) == translator.translate(["ban der."])


def test_t11_utf_32_is_read_and_nul_is_no_text():
    data = "ban der.\n".encode("utf-32")
    assert translate_document(data, "a.txt", list) == data
    with pytest.raises(UserError, match="NUL"):
        translate_document("ban".encode("utf-16-le"), "a.txt", list)


def test_t12_windows_1252_can_be_named(command, tmp_path):
    file = tmp_path / "a.srt"
    file.write_bytes("1\n00:00:01,000 --> 00:00:02,000\nban café\n".encode("cp1252"))
    assert b"--encoding" in command(file, status=2).err
    out = command(file, "--encoding", "cp1252").out
    assert out.startswith(b"1\n00:00:01,000") and out.decode("cp1252")
    assert command("--encoding", "cp1252", text=b"42 \x80\n").out == b"42 \x80\n"
    assert b"--encoding" in command(text=b"caf\xe9\n", status=2).err


def test_t30_a_page_in_its_declared_charset():
    page = b'<meta charset="iso-8859-1"><p>caf\xe9 ban</p>'
    translation = translate_document(page, "a.html", lambda texts: [f"{text} Ж\xe8" for text in texts])
    assert translation == b'<meta charset="iso-8859-1"><p>caf\xe9 ban &#1046;\xe8</p>'


def test_t40_strict_open_xml_is_read_and_no_text_is_reported(command, tmp_path):
    def word(body, namespace):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as package:
            package.writestr("word/document.xml", f'<w:document xmlns:w="{namespace}">{body}</w:document>')
        return file.getvalue()

    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    translation = translate_document(
        word("<w:p><w:r><w:t>ban der</w:t></w:r></w:p>", strict), "a.docx", lambda texts: [t.upper() for t in texts]
    )
    assert b"BAN DER" in zipfile.ZipFile(io.BytesIO(translation)).read("word/document.xml")
    (tmp_path / "b.docx").write_bytes(word("<w:p/>", strict))
    assert b"no text to translate" in command(tmp_path / "b.docx", "--output", tmp_path / "c.docx").err


def test_t42_hyphens_and_symbols_of_word():
    body = (
        "<w:p><w:r><w:t>a high</w:t><w:noBreakHyphen/><w:t>speed train, 5</w:t>"
        '<w:sym w:font="Symbol" w:char="F0A0"/><w:t>euro</w:t></w:r></w:p>'
    )
    file, requests = io.BytesIO(), []
    with zipfile.ZipFile(file, "w") as package:
        space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
        package.writestr("word/document.xml", f'<w:document xmlns:w="{space}">{body}</w:document>')
    translation = translate_document(
        file.getvalue(), "a.docx", lambda texts: requests.extend(texts) or [t.upper() for t in texts]
    )
    assert any("high-speed" in text for text in requests) and not any("5euro" in text for text in requests)
    xml = zipfile.ZipFile(io.BytesIO(translation)).read("word/document.xml").decode()
    assert xml.count("<w:sym ") == xml.count("<w:noBreakHyphen") == 1


def test_t44_a_line_without_letters_comes_back(command, translator):
    lines = ["", "  ", "-", "—", "?!", "😀", "42", "$", "🇮🇹🇫🇷", "12:30 → 14:00"]
    text = "\n".join(lines) + "\n"
    assert command(text=text.encode()).out.decode() == text
    assert translator.translate(lines[2:]) == lines[2:]
    assert [
        ranked[0].text for ranked in translator.candidates(lines[2:], DecodingOptions(beam_size=4, num_hypotheses=2))
    ] == lines[2:]


def test_t45_capitals_are_translated(translator):
    (capitals, ordinary) = translator.translate(["BAN DER FITH BAN.", "Ban der fith ban."])
    assert capitals == ordinary.upper()


def test_t46_one_line_out_for_one_in(command):
    out = command(text=("ban der " * 700 + "\n" + "b" * 900 + "\nban.\n").encode()).out.decode()
    assert out.count("\n") == 3 and all(out.splitlines())


def test_t47_invisible_characters_are_spaces_or_nothing(translator):
    same = translator.translate(["ban der.", "ban\u200bder.", "ban\u00a0der.", "ba\u00adn der.", "ban\u202fder."])
    assert len(set(same)) == 1


@pytest.mark.parametrize("name", ["</s>", "<unk>", "<pad> ban </s>", "▁"])
def test_t48_names_of_control_pieces_are_text(translator, name):
    pieces = translator.tokenize([f"{name} ban"])[0]
    assert pieces.count("</s>") == 1 and pieces[-1] == "</s>" and "<pad>" not in pieces


def test_t49_lines_out_are_lines_in(command):
    text = "ban\r\nder\rban\n\u2028fith\x85ban\x0cder\nban"
    assert command(text=text.encode()).out.count(b"\n") == text.count("\n") + 1
    assert command(text=b"\xff\xfeb\0a\0\n\0", status=2).out == b""
    out = command("--encoding", "utf-16", text="42\n7\n".encode("utf-16")).out
    assert out.decode("utf-16").replace("\ufeff", "") == "42\n7\n"
