"""Strings of programs: placeholders are compared, branches are translated, and msgfmt takes what is filled."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from helpers.document_models import backwards, nothing, upper
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, translate_document
from distilmt.documents.message_format import choices
from distilmt.documents.placeholders import PROGRAM, count_placeholders
from distilmt.documents.program_strings import ProgramString, translate_strings
from distilmt.utils.errors import UserError


def percent(texts):
    return [f"100% {text} %d {{x}}" for text in texts]


MODELS = [upper, backwards, nothing, percent]


def counted(model):
    return TranslateWithAttention(model, lambda texts, translations: [[] for _ in texts])


def json_of(string, model=upper):
    return json.loads(translate_document(json.dumps({"a": string}).encode(), "a.json", model))["a"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "{n, plural, =0 {no files} one {# file} other {# files}}",
            "{n, plural, =0 {NO FILES} one {# FILE} other {# FILES}}",
        ),
        (
            "You have {n, plural, offset:1 one {a} other {# of {name}}} now.",
            "YOU HAVE {n, plural, offset:1 one {A} other {# OF {name}}} NOW.",
        ),
        (
            "{g, select, male {his {n, plural, other {# cars}}} other {it}}",
            "{g, select, male {HIS {n, plural, other {# CARS}}} other {IT}}",
        ),
        (
            "See [[Help:Page|the page]] or {{PLURAL:$1|one file|12=a dozen|$1 files}}.",
            "SEE [[Help:Page|THE PAGE]] OR {{PLURAL:$1|ONE FILE|12=A DOZEN|$1 FILES}}.",
        ),
        ("no apples | one apple | {count} apples", "NO APPLES | ONE APPLE | {count} APPLES"),
        ('<a href="{{ url }}">click</a> it', '<a href="{{ url }}">CLICK</a> IT'),
        ("the {{ c ? '<b>a</b>' : 'b' }} is", "THE {{ c ? '<b>a</b>' : 'b' }} IS"),
        ("{% if a %}one{% else %}two{% endif %}", "{% if a %}ONE{% else %}TWO{% endif %}"),
        ("Sure?<br>This is it.", "SURE?<br>THIS IS IT."),
        ("Half \ud83d here.", "HALF \ud83d HERE."),
        ("Hello $NAME$, $t(key.a) and @:common.ok", "HELLO $NAME$, $t(key.a) AND @:common.ok"),
    ],
)
def test_what_is_read_is_translated_and_the_remainder_is_preserved(source, expected):
    assert json_of(source) == expected


def test_an_apostrophe_of_a_translation_quotes_nothing_in_icu():
    instance = json_of("{n, plural, other {of {name}}}", lambda texts: ["dell'" + t.removeprefix("of ") for t in texts])
    assert instance == "{n, plural, other {dell’{name}}}"


PARTS = [
    "one file",
    "{name}",
    "%s",
    "%d",
    "{n, plural, one {# a} other {# bs}}",
    "<b>x</b>",
    "<br>",
    "$1",
    "\n",
    ". A ",
    "{",
    "}",
]
PARTS += [
    "{{ a }}",
    "{{PLURAL:$1|a|b}}",
    "[[a|b]]",
    "%(x)s",
    "'",
    " | ",
    "100% sure",
    "{g, select, a {b {c}} other {}}",
    "\ud83d",
]


@settings(max_examples=example_count(200), deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=8).map(" ".join), st.sampled_from(MODELS))
def test_a_string_keeps_its_placeholders_or_stays(text, model):
    assert translate_strings([ProgramString(text)], list) == [text]
    (instance,) = translate_strings([ProgramString(text)], model)
    if instance is not None and not list(choices(text)) and "[[" not in text:
        assert count_placeholders(instance, PROGRAM) == count_placeholders(text, PROGRAM)
    assert json_of(text, list) == text
    assert isinstance(json_of(text, model), str)


def test_what_was_left_is_counted_with_its_place():
    model = counted(lambda texts: [f"{text} {{x}}" for text in texts])
    instance = translate_document(b'{"a": {"b": "A word {n}"}, "c": "userName"}', "a.json", model)
    assert instance == b'{"a": {"b": "A word {n}"}, "c": "userName"}'
    assert model.report.lines() == [
        "1 text left unchanged: a word that looks like an identifier, a path or a number (c)",
        "1 text left unchanged: its placeholders were lost or others added (key a.b)",
    ]


def test_metadata_of_messages_is_left():
    arb = b'{"@@locale": "en", "hello": "Hello there", "@hello": {"description": "Says hello"}}'
    assert translate_document(arb, "a.arb", upper) == arb.replace(b"Hello there", b"HELLO THERE")
    chrome = (
        b'{"a": {"message": "Hello there", "description": "Says hello", "placeholders": {"x": {"example": "an x"}}}}'
    )
    assert translate_document(chrome, "messages.json", upper) == chrome.replace(b"Hello there", b"HELLO THERE")
    with pytest.raises(UserError, match=r"comment \(line 2\)"):
        translate_document(b'{\n // a\n "a": "b"}', "a.json", upper)


HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: {};\\n"\n\n'
TWO = HEAD.format("nplurals=2; plural=(n != 1)")


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_line_feeds_end_lines(separator):
    text = f'{TWO}msgid "One.{separator}Two."\nmsgstr ""\n\nmsgid "Save."\nmsgstr ""\n'
    instance = translate_document(text.encode(), "a.po", upper).decode()
    assert (
        'msgstr "SAVE."' in instance
        and "TWO." in instance
        and instance.startswith(f'{TWO}msgid "One.{separator}Two."\n')
    )


def test_plural_forms_follow_the_head():
    entry = 'msgid "One file"\nmsgid_plural "%d files"\n' + "".join(f'msgstr[{n}] ""\n' for n in range(3))
    russian = "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2)"
    instance = translate_document(f"{HEAD.format(russian)}#, c-format\n{entry}".encode(), "a.po", upper).decode()
    assert instance.count('"%d FILES"') == 3, "21 has the form of 1, and its number must be there"
    latvian = "nplurals=3; plural=(n == 1 ? 1 : n == 0 ? 0 : 2)"
    instance = translate_document(f"{HEAD.format(latvian)}#, c-format\n{entry}".encode(), "a.po", upper).decode()
    assert 'msgstr[0] "%d FILES"\nmsgstr[1] "ONE FILE"\nmsgstr[2] "%d FILES"' in instance


FORMATS = {
    "c": ["%d", "%s", "%'d", "%-*.*s", "%<PRIu64>", "%5.2f", "%%", "%lu", "% d", "%c"],
    "python": ["%(name)s", "%(n)5d", "%(x)r", "%%"],
    "python-brace": ["{0}", "{1!r:>10}", "{{", "}}"],
    "php": ["%1$s", "%2$05d", "%%", "%3$'x10d"],
    "qt": ["%1", "%L2", "%3"],
    "kde": ["%1", "%2"],
    "ruby": ["%{count}", "%<name>s", "%%"],
    "objc": ["%@", "%d"],
    "perl-brace": ["{name}", "{n}"],
    "java": ["{0}", "{1}"],
    "csharp": ["{0:N}", "{1}"],
    "sh": ["$name", "${n}"],
    "boost": ["%1%", "%2%"],
    "javascript": ["%s", "%d"],
    "lisp": ["~a", "~d"],
}


@st.composite
def catalogues(draw):
    entries, seen = [], set()
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(sorted(FORMATS)))
        words = draw(st.lists(st.sampled_from(["the file", "50 units", "Now.", *FORMATS[kind] * 2]), max_size=5))
        text = f"entry {number} {' '.join(words)}"
        if kind == "perl-brace" or text in seen:
            text = f"entry {number} " + " ".join(dict.fromkeys(words))
        seen.add(text)
        plural = draw(st.booleans())
        more = f'msgid_plural "{text} all"\nmsgstr[0] ""\nmsgstr[1] ""\n' if plural else 'msgstr ""\n'
        entries.append(f'#, {kind}-format\nmsgid "{text}"\n{more}')
    return TWO + "\n".join(entries)


def msgfmt(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.po"
        path.write_text(text, "utf-8")
        done = subprocess.run(["msgfmt", "-c", "-o", "/dev/null", path], capture_output=True, check=False, text=True)
        return "" if done.returncode == 0 else done.stderr


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="needs gettext")
@settings(max_examples=40, deadline=None)
@given(catalogues(), st.sampled_from(MODELS))
def test_msgfmt_takes_whatever_is_filled(text, model):
    if msgfmt(text):
        return  # what is no catalogue before is none behind
    assert msgfmt(translate_document(text.encode(), "a.po", model).decode()) == ""


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="needs gettext")
@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_every_format_is_translated_and_taken(kind):
    text = f'{TWO}#, {kind}-format\nmsgid "the file {" and ".join(dict.fromkeys(FORMATS[kind]))} here"\nmsgstr ""\n'
    instance = translate_document(text.encode(), "a.po", upper).decode()
    assert msgfmt(instance) == msgfmt(text) == "" and 'msgstr "THE FILE' in instance


def test_what_a_model_breaks_stays_empty_and_is_named():
    model = counted(lambda texts: [f"{text} 100% d" for text in texts])
    text = f'{TWO}#, c-format\nmsgid "%d files"\nmsgstr ""\n'
    assert translate_document(text.encode(), "a.po", model).decode() == text
    assert model.report.lines() == ["1 text left unchanged: its placeholders were lost or others added (line 6)"]


@pytest.mark.parametrize(
    "piece",
    ["{a,plural,x", "{a,plural,x{", "{{PLURAL:a|", "[[a|", "<b ", "<br>", " | ", "\n", "{n, plural, one {a}}", " "],
)
def test_time_grows_with_length(piece):
    def seconds(count):
        text = f"one {piece * count} two"
        begun = time.process_time()
        with contextlib.suppress(RecursionError):
            translate_strings([ProgramString(text)], list)
        return time.process_time() - begun

    short, long = min(seconds(500) for _ in range(2)), min(seconds(4000) for _ in range(2))
    assert long < 24 * short + 0.05


def test_a_template_gets_the_language():
    model = TranslateWithAttention(upper, lambda texts, translations: [[] for _ in texts], languages=("en", "it"))
    text = f'{TWO[:-1]}"Language: \\n"\n\nmsgid "One."\nmsgstr ""\n'
    assert '"Language: it\\n"' in translate_document(text.encode(), "a.po", model).decode()
    named = text.replace("Language: ", "Language: it_CH")
    assert '"Language: it_CH\\n"' in translate_document(named.encode(), "a.po", model).decode()
