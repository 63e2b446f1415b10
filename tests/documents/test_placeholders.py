"""Placeholders of every kind are kept whole, plain prose is not, and time grows with length."""

import time
from dataclasses import replace

import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, translate_document
from distilmt.documents.keep_patterns import KeepPatterns
from distilmt.documents.placeholders import PLAIN, PROGRAM, Grammar, Placeholder, count_placeholders, split_placeholders
from distilmt.utils.errors import UserError

FULL = Grammar(program=True, printf="full")


def remaining(text, grammar=PLAIN):
    return [part.shown for part in split_placeholders(text, grammar) if isinstance(part, Placeholder)]


LONG = "{{ _h('" + "There are many files. Remove some! " * 9 + "') }}"
ANYWHERE = ["%d", "%s", "%5.2f", "%-*.*s", "%'d", "%I64d", "%<PRIu64>", "%1$s", "%2$*1$d", "%%", "%(name)s", "%(n)5.1f"]
ANYWHERE += [
    "{}",
    "{0}",
    "{name!r:>10}",
    "{a.b[0]}",
    "%{name}",
    "%<name>s",
    "%<a>05.2f",
    "#{user}",
    "@{host}",
    "${VAR}",
]
ANYWHERE += [
    "{{name}}",
    "{{ count | number }}",
    "{{{raw}}}",
    "{{ {a: {b: 1}} }}",
    "{{ '}}' }}",
    LONG,
    '$t(key, {"n": (1)})',
]
ANYWHERE += [
    "{% if a > 1 %}",
    "{% endif %}",
    "{# note #}",
    "<%= a.b %>",
    "<% if x { %>",
    "{{#if a}}",
    "{{/if}}",
    '{{< fig a="b c" >}}',
]
ANYWHERE += [
    "{count, plural, one {# file} other {# files}}",
    "__count__",
    "https://a.org/b?c=d",
    "me@example.org",
    "$HOME",
]
ANYWHERE += ["%count%", "%VAR%", "%%NAME%%", "%name", "%v", "%+v", "%q", "%T", "%[1]s", "%[2]*[1]d", "%m", "%Y"]
ANYWHERE += [
    "@count",
    "@lang('a.b')",
    "#VALUE#",
    "##name##",
    "$(name)",
    "$(cmd arg)",
    "$[x]",
    "$!{x}",
    "~{x}",
    r"\$x",
    "$$x",
]
ANYWHERE += [
    "&nbsp;",
    "&#160;",
    "&#xA0;",
    "&copy;",
    "&File;",
    r"C:\Temp\x",
    r"C:\Program Files\x.exe",
    r"\\host\share",
    r"%TEMP%\x",
]
ANYWHERE += ["`ls -l`", "--force", "/usr/share/doc", "~/.config/x"]
PROGRAMS = [
    "% d",
    "%1",
    "%L1",
    "%n",
    "$1",
    ":name",
    "@:common.ok",
    "@.lower:(a.b)",
    "[[page]]",
    "%1%",
    "{{PLURAL:$1|file|files}}",
]
PROGRAMS += ["!name", "[node:title]", "[user:name:raw]", "||name||", r"\(x)", r"\n", r"\u00e9"]


@pytest.mark.parametrize("placeholder", ANYWHERE)
@pytest.mark.parametrize("grammar", [PLAIN, PROGRAM])
def test_a_placeholder_is_preserved_whole(placeholder, grammar):
    assert remaining(f"see {placeholder} now", grammar) == [placeholder]
    assert remaining(placeholder, grammar) == [placeholder]


@pytest.mark.parametrize("placeholder", PROGRAMS)
def test_a_placeholder_of_programs_is_preserved_in_programs(placeholder):
    assert remaining(f"see {placeholder} now", PROGRAM) == [placeholder]


PROSE = [
    "100% sure",
    "50 % of it",
    "100%ig",
    "a 50%-discount",
    "a {b",
    "a } b",
    "Note: something",
    "at 10:30",
    "costs $1,000",
]
PROSE += [
    "$5 each",
    "{Note that this is a whole sentence.}",
    "and/or",
    "well-known",
    "it's 5 o'clock",
    "a :) b",
    "(see below)",
]
PROSE += [
    "l@s amig@s",
    "AT&T and R&D",
    "10%off",
    "Hello!world",
    "it is #1 of all",
    "a | b",
    "what?! now",
    "one/two & three;",
]
PROSE += ["Version: C:", "50% off, 20% more"]


@pytest.mark.parametrize("text", PROSE)
def test_prose_is_prose(text):
    assert remaining(text) == []


@pytest.mark.parametrize("flag", ["", "-", "+", " ", "#", "0", "'", "I", "-+ #0'"])
@pytest.mark.parametrize("conversion", [*"diouxXeEfFgGaAcspm", "lld", "hhu", "zu", "jd", "Lf", "I64d", "<PRId64>"])
def test_the_whole_printf_grammar(flag, conversion):
    for directive in (
        f"%{flag}{conversion}",
        f"%{flag}10{conversion}",
        f"%{flag}*.*{conversion}",
        f"%{flag}.3{conversion}",
    ):
        assert remaining(f"a {directive} b", FULL) == [directive]


def test_what_was_cut_is_preserved_to_where_it_was_cut():
    assert split_placeholders("see {{ _('a. b", PROGRAM)[0] == "see " and remaining("see {{ _('a. b", PROGRAM) == [
        "{{ _('a. b"
    ]
    assert remaining("a b') }} then", PROGRAM) == ["a b') }}"]


SIGNS = [
    "{",
    "}",
    "{{",
    "}}",
    "{%",
    "%}",
    "<%",
    "%>",
    "'",
    '"',
    "$t(",
    "(",
    ")",
    "[[",
    "]]",
    "%",
    "$",
    ":",
    "@",
    "a",
    " ",
    ".",
    "/",
    "-",
    "\n",
    "|",
]
SIGNS += [*ANYWHERE[:20], "one"]


@settings(max_examples=example_count(300), deadline=None)
@given(st.lists(st.sampled_from(SIGNS), max_size=30).map("".join), st.sampled_from([PLAIN, PROGRAM, FULL]))
def test_parts_are_the_text(text, grammar):
    assert (
        "".join(part.shown if isinstance(part, Placeholder) else part for part in split_placeholders(text, grammar))
        == text
    )


@settings(max_examples=example_count(100), deadline=None)
@given(st.lists(st.sampled_from(["one", "two.", "Three!", *ANYWHERE, *PROGRAMS]), min_size=1, max_size=8), st.randoms())
def test_a_translation_has_the_placeholders_of_its_source(words, draw):
    def model(texts):
        return [" ".join(draw.choices(text.split() or ["x"], k=draw.randint(0, 8))) for text in texts]

    text = " ".join(words)
    instance = translate_document(text.encode(), "a.txt", model).decode()
    assert not count_placeholders(text) - count_placeholders(instance), (text, instance)


REPEATED = [
    "{",
    "}",
    "{{",
    "{{ '",
    "{%",
    "{#",
    "<%",
    '<% "',
    "$t(",
    "[[",
    "%",
    "% ",
    "/-",
    "/.",
    "a/",
    "www.",
    "@a",
    "a@",
    "{a b c d e ",
    "`",
]
REPEATED += ["${", "http://.", "a.", "-a", "__a", ":", "%{", '{{ "}} ', "\\", "~/", "%(", "%<"]


@pytest.mark.parametrize("piece", REPEATED)
def test_time_grows_with_length(piece):
    def seconds(count):
        text = piece * count
        best = 1e9
        for _ in range(2):
            begun = time.process_time()
            split_placeholders(text, PROGRAM)
            best = min(best, time.process_time() - begun)
        return best

    short, long = seconds(4000), seconds(32_000)
    # Eight times the length: 64 times the time if it were quadratic.
    assert long < 24 * short + 0.02


def test_keep():
    model = TranslateWithAttention(
        lambda texts: [t.upper() for t in texts],
        lambda a, b: [[] for _ in a],
        keep=KeepPatterns.of([r"Foo\w*", "b[ae]r"]),
    )
    assert translate_document(b"the Foobar and a ber {x}.", "a.txt", model) == b"THE Foobar AND A ber {x}."
    assert KeepPatterns.of(["ab", "bc+", "b"]).spans("abcc bcc") == [(0, 2), (5, 8)]


@pytest.mark.parametrize("pattern", ["(", "[", "a*", "", "(?P<a", "*"])
def test_a_bad_pattern_is_one_line(pattern):
    with pytest.raises(UserError, match="--keep") as error:
        KeepPatterns.of([pattern])
    assert "\n" not in str(error.value)


def test_a_pattern_that_would_take_for_ever_is_stopped():
    with pytest.raises(UserError, match="nested repeats"):
        KeepPatterns.of([r"(?:a|aa|a+)+$|x"]).spans("a" * 200 + "b")


@settings(max_examples=example_count(300), deadline=None)
@given(st.lists(st.sampled_from([*SIGNS, *ANYWHERE, *PROGRAMS, "a", " "]), max_size=6).map("".join))
def test_a_text_that_is_not_looked_through_has_no_placeholders(text):
    for grammar in (PLAIN, PROGRAM, FULL, Grammar(tilde=True, qt=True)):
        # The pattern of somebody who wants no more kept: with one, every text is looked through.
        thorough = replace(grammar, keep=KeepPatterns(("\N{SNOWMAN}",)))
        assert [str(part) for part in split_placeholders(text, grammar) if isinstance(part, str)] == [
            str(part) for part in split_placeholders(text, thorough) if isinstance(part, str)
        ]
