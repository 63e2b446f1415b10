"""Tries of subtitles, messages and strings, each by its number: what people complained of, and what is right."""

import json
import shutil
import subprocess

import pytest

from distilmt.documents import TranslateWithAttention, translate_document
from distilmt.documents.placeholders import PROGRAM, count_placeholders
from distilmt.utils.errors import UserError

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
HEAD += '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'


class Model:
    """Translates into capitals, and keeps what it was given."""

    def __init__(self):
        self.texts = []
        self.translate = TranslateWithAttention(self, lambda texts, translations: [[] for _ in texts])

    def __call__(self, texts):
        self.texts += texts
        return [text.upper() for text in texts]

    def document(self, text, name):
        return translate_document(text.encode("utf-8", "surrogatepass"), name, self.translate).decode()


def test_t01_a_cue_right_behind_another():
    model = Model()
    text = "1\n00:00:01,000 --> 00:00:02,500\nThe door.\n2\n00:00:03,000 --> 00:00:04,000\nThe window.\n"
    assert model.document(text, "a.srt") == text.replace("The door", "THE DOOR").replace("The window", "THE WINDOW")
    assert model.texts == ["The door.", "The window."]


def test_t03_a_blank_line_inside_a_cue():
    text = "1\n00:00:01,000 --> 00:00:02,500\na\n\nb\n\n2\n00:00:03,000 --> 00:00:04,000\n\nc\n"
    assert Model().document(text, "a.srt") == text.replace("\na", "\nA").replace("\nb", "\nB").replace("\nc", "\nC")


def test_t05_times_written_a_little_otherwise():
    times = ["00:00:01,000-->00:00:02,500", "00:00:03:000 --> 00:00:04:000", "0:0:5,5 --> 0:0:6,5", "00:07 -> 00:08"]
    times += ["-00:00:01,000 --> 00:00:09,000", "00:00:10,000 --> 00:00:11,000  X1:100 X2:600", "00:00:12 —> 00:00:13"]
    text = "\n".join(f"{n}\n{time}\nwords\n" for n, time in enumerate(times, 1))
    model = Model()
    assert model.document(text, "a.srt") == text.replace("words", "WORDS") and model.translate.report.left == 0
    model.document("1\n00:00:01,000 --> 00:00:02,000\na\n\n2\n00:00:0x --> 00:00:04\nb\n", "a.srt")
    assert "line 6" in model.translate.report.lines()[0]


def test_t06_the_dash_of_a_dialog():
    model = Model()
    text = "1\n00:00:01,000 --> 00:00:02,500\n- Where is it?\n– <b>Here</b>!\n-There.\n"
    assert model.document(text, "a.srt") == text.split("- W")[0] + "- WHERE IS IT?\n– <b>HERE</b>!\n-THERE.\n"
    assert all(text[:1].isalpha() for text in model.texts)


def test_t13_webvtt_with_everything():
    text = "WEBVTT - A film\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:9\n\nNOTE a note\nof two lines\n\n"
    text += "STYLE\n::cue(b) {}\n\n"
    text += "intro\n00:01.000 --> 00:03.000 line:90%\n<v Anna Smith>Where &amp; <b.loud>how</b>?</v>\n"
    instance = Model().document(text, "a.vtt")
    assert instance == text.replace("Where", "WHERE").replace("how<", "HOW<")


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\x0b", "\x0c"])
def test_t14_a_line_separator_inside_a_message(separator):
    instance = Model().document(f'{HEAD}msgid "One.{separator}Two."\nmsgstr ""\n\nmsgid "Save."\nmsgstr ""\n', "a.po")
    assert 'msgstr "SAVE."' in instance and "TWO." in instance


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="needs gettext")
def test_t16_printf_directives(tmp_path):
    text = '#, c-format\nmsgid "Press %-*.*s or % d, %\'d, %I64d and %<PRIu64>."\nmsgstr ""\n'
    instance = Model().document(HEAD + text, "a.po")
    assert "PRESS %-*.*s OR % d, %'d, %I64d AND %<PRIu64>." in instance
    (tmp_path / "a.po").write_text(instance)
    assert subprocess.run(["msgfmt", "-c", "-o", "/dev/null", tmp_path / "a.po"], check=False).returncode == 0
    hostile = translate_document((HEAD + text).encode(), "a.po", lambda texts: [f"{t} 5% d" for t in texts])
    assert hostile.decode() == HEAD + text


def test_t19_an_expression_of_any_length():
    long = "{{ _h('" + "Due to abuse, it is limited. Please log in! " * 5 + "') }}"
    assert json.loads(Model().document(json.dumps({"a": f"Note: {long} here"}), "a.json")) == {
        "a": f"NOTE: {long} HERE"
    }
    assert Model().document(f"Note: {long} here\n", "a.txt") == f"NOTE: {long} HERE\n"


def test_t21_branches_of_icu():
    instance = Model().document('{"a": "You have {count, plural, one {# file} other {# files}} now"}', "a.json")
    assert json.loads(instance) == {"a": "YOU HAVE {count, plural, one {# FILE} other {# FILES}} NOW"}


def test_t22_br_ends_a_sentence():
    model = Model()
    instance = model.document('{"a": "Delete <b>__count__</b> people?<br>This cannot be undone"}', "a.json")
    assert json.loads(instance) == {"a": "DELETE <b>__count__</b> PEOPLE?<br>THIS CANNOT BE UNDONE"}
    assert "This cannot be undone" in model.texts
    assert "DELETE IT?<br>THIS" in Model().document(f'{HEAD}msgid "Delete it?<br>This"\nmsgstr ""\n', "a.po")


def test_t23_odd_json():
    text = '\ufeff{"a": "Half \\ud83d here", "b": NaN, "n": 1e400, "a": " padded "}'
    assert Model().document(text, "a.json") == text.replace("Half", "HALF").replace("here", "HERE").replace(
        "padded", "PADDED"
    )
    with pytest.raises(UserError, match="comment"):
        Model().document('{\n  // a comment\n  "a": "b"}', "a.json")


def test_placeholders_of_many_tools():
    text = (
        ":count of :name by #{user} and @{host}, $1, %{n}, %<x>s, {{name}}, $t(a.b), @:c.d, __e__, ${F}, <0>it</0> %1"
    )
    instance = json.loads(Model().document(json.dumps({"a": text}), "a.json"))["a"]
    assert count_placeholders(instance, PROGRAM) == count_placeholders(text, PROGRAM) and instance == text.replace(
        " of ", " OF "
    ).replace(" by ", " BY ").replace(" and ", " AND ").replace(">it<", ">IT<")


@pytest.mark.parametrize(
    "name", ["%count%", "%name%", "%VAR%", "%name", "@count", "!name", "[node:title]", "#VALUE#", "%v"]
)
def test_n28_placeholders_are_not_cut(name):
    text = f"The red dog sees {name} in the big garden."
    for model in (
        lambda texts: [" ".join(reversed(t.split())) for t in texts],
        lambda texts: [t.lower() for t in texts],
    ):
        assert name in json.loads(translate_document(json.dumps({"a": text}).encode(), "a.json", model))["a"]
        instance = translate_document(f'{HEAD}msgid "{text}"\nmsgstr ""\n'.encode(), "a.po", model).decode()
        assert name in instance.rsplit("msgstr ", 1)[1]


def test_n05_entities_in_strings():
    model = Model()
    text = "Don&#39;t &amp; won&#39;t&nbsp;stop &lt;now&gt; &copy; 2024"
    instance = json.loads(model.document(json.dumps({"a": text, "b": "It&rsquo;s 5 o'clock"}), "a.json"))
    assert instance["a"] == "DON&#39;T &amp; WON&#39;T&nbsp;STOP &lt;NOW&gt; &copy; 2024"
    assert not any("#39" in text for text in model.texts) and any("Don't" in text for text in model.texts)
    same = json.dumps({"a": text, "b": "It&rsquo;s 5 o'clock"}).encode()
    assert translate_document(same, "a.json", list) == same


def test_n01_ruby_is_not_one_word():
    model = Model()
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nA <ruby>base<rt>above</rt></ruby> is\n"
    instance = model.document(text, "a.vtt")
    assert instance == text.replace("A <", "A <").replace("base", "BASE").replace("is\n", "IS\n")
    assert model.translate.report.left == 1 and not any("above" in text for text in model.texts)


def test_n02_comments_and_drawings_of_ass():
    head = "[Events]\nFormat: Layer, Text\n"
    text = head + "dialogue: 0,{\\p1}m 0 0 l 1 1{\\p0}Text after\nDialogue: 0,{a comment}Real {b} text\n"
    instance = Model().document(text, "a.ass")
    assert instance == text.replace("Text after", "TEXT AFTER").replace("Real", "REAL").replace("} text", "} TEXT")


def test_n03_escapes_that_gettext_knows():
    text = 'msgid "one \\x41 \\101 \\a \\\\x41 \\033[1mb \\xc3\\xa9"\nmsgstr ""\n\nmsgid"x y"\nmsgstr""\n'
    instance = Model().document(HEAD + text, "a.po")
    assert 'msgstr "ONE A A \\a \\\\x41 \\033[1mB É"' in instance and 'msgstr "X Y"' in instance
    with pytest.raises(UserError, match="line 1 has a string without its end"):
        Model().document('msgid "unterminated\nmsgstr ""\n', "a.po")


@pytest.mark.parametrize("control", ["\x1b[1m", "\x1b(B", "\x07", "\x08", "\x7f", "\ufffe", "\x1b"])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.json", "a.srt"])
def test_n30_control_characters_stay(control, name):
    text = f"Some {control}word here{control}."
    text = {"a.json": f'{{"a": {json.dumps(text)}}}', "a.srt": f"1\n00:01,0 --> 00:02,0\n{text}\n"}.get(name, text)
    assert translate_document(text.encode(), name, list) == text.encode()
    shown = json.dumps(control)[1:-1] if name == "a.json" else control
    assert Model().document(text, name).count(shown) == 2


def test_n06_and_n08_credits_slashes_and_spaces():
    model = Model()
    instance = model.document(f'{HEAD}msgid "translator-credits"\nmsgstr ""\n\nmsgid "Save"\nmsgstr ""\n', "a.po")
    assert 'msgid "translator-credits"\nmsgstr ""' in instance and 'msgstr "SAVE"' in instance
    assert model.translate.report.left == 1
    assert Model().document('{"a": "one\\/two and three"}', "a.json") == '{"a": "ONE\\/TWO AND THREE"}'
    head = "WEBVTT\n\n00:01.000 --> 00:02.000\n"
    assert Model().document(f"{head}one&nbsp;two &amp; x\n", "a.vtt") == f"{head}ONE&nbsp;TWO &amp; X\n"
    model.document("[Events]\nFormat: A, B, Text\nDialogue: 0,text\n", "a.ass")
    assert "line 3" in model.translate.report.lines()[-1]
