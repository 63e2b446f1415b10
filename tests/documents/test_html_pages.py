"""HTML: what people read is translated, and nothing else, however a page is written."""

import re

import pytest
from helpers.document_models import calls, same, upper
from helpers.examples import example_count
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilmt.documents import TranslateWithAttention, translate_html
from distilmt.documents.html_charset import declared_encoding
from distilmt.documents.html_tokenizer import tokenize_html
from distilmt.documents.split_words import merge_split_words
from distilmt.documents.templates import expressions, mask_spans


def into(source, target):
    return TranslateWithAttention(upper, lambda texts, output: [[] for _ in texts], languages=(source, target))


# What is no text, in the source and in the translation alike; and texts.
PRESERVED = [
    '<a href="x y">',
    "</a>",
    "<br>",
    "<img src=a.png>",
    "<!-- a comment -->",
    "<code>a b</code>",
    "<p class=x>",
    "</p>",
    "<script>if (a < b) c()</script>",
    '<i class="material-icons">arrow_back</i>',
    '<span translate="no">a b</span>',
    '<p {{ attributes }} class="{{ "x" if a else "b" }}">',
    '{% if user.name == "x y" %}',
    "{{ count > 1 }}",
    "<% for a in b do %>",
    '{{ _("' + "many words in it " * 12 + '") }}',
    "<![CDATA[a b]]>",
    "<svg><text>a b</text></svg>",
    "<pre>a b\n  c</pre>",
    "<textarea>a b</textarea>",
    "<!DOCTYPE html>",
    "<?php echo 'a b'; ?>",
    "<td>",
    "&nbsp;",
]
TEXTS = ["one word ", "Two words. ", "é ", "a &amp; b ", "\n", "  "]
PAGES = st.lists(st.sampled_from(PRESERVED + TEXTS), max_size=20)


@settings(max_examples=example_count(200), deadline=None)
@given(PAGES)
def test_identity_changes_no_byte(parts):
    assert translate_html("".join(parts), same) == "".join(parts)


@settings(max_examples=example_count(200), deadline=None)
@given(PAGES)
def test_texts_are_translated_and_nothing_else(parts):
    instance = translate_html("".join(parts), upper)
    expected = "".join(p if p in PRESERVED else p.upper().replace("&AMP;", "&amp;") for p in parts)
    assert " ".join(instance.split()) == " ".join(expected.split())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<img src=a.png alt=Photo title='The bridge'>", "<img src=a.png alt=\"PHOTO\" title='THE BRIDGE'>"),
        (
            '<input type=submit value="Send it"><input value="a b">',
            '<input type=submit value="SEND IT"><input value="a b">',
        ),
        ("<input type=submit name=go value=Send>", "<input type=submit name=go value=Send>"),
        ('<meta property="og:title" content="A b">', '<meta property="og:title" content="A B">'),
        ('<meta name=viewport content="a b">', '<meta name=viewport content="a b">'),
        (
            '<a data-title="a b" :title="a + b" aria-label="c d">',
            '<a data-title="a b" :title="a + b" aria-label="C D">',
        ),
        ("<a title=\"x y='z'\" rel='title=\"a\"'>", "<a title=\"X Y='Z'\" rel='title=\"a\"'>"),
        ('<span title="a {{ b > "c d" }} e">', '<span title="A {{ b > "c d" }} E">'),
        ("<noscript>Please turn on.</noscript>", "<noscript>PLEASE TURN ON.</noscript>"),
        ("<i class='icon-bar'>Save</i>", "<i class='icon-bar'>SAVE</i>"),
        ("<mat-icon>arrow_back</mat-icon> Go back", "<mat-icon>arrow_back</mat-icon> GO BACK"),
        ("<i class='fa fa-home'></i> Home", "<i class='fa fa-home'></i> HOME"),
    ],
)
def test_attributes_and_icons(before, after):
    assert translate_html(before, upper) == after


def test_a_page_names_its_new_language():
    page = (
        '<html lang="en-US" xml:lang=en><meta property="og:locale" content="en_US"><p lang="fr">x</p><p lang=EN>y</p>'
    )
    instance = translate_html(page, into("en", "it"))
    assert instance == (
        '<html lang="it" xml:lang="it"><meta property="og:locale" content="it_IT"><p lang="fr">X</p><p lang="it">Y</p>'
    )
    assert translate_html("<html lang=en>", into("en", "ar")) == '<html dir="rtl" lang="ar">'
    assert translate_html('<html lang=ar dir="rtl">', into("ar", "en")) == '<html lang="en" dir="ltr">'
    assert translate_html(page, upper).startswith('<html lang="en-US" xml:lang=en>'), "no language is known"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<b>d</b><i>o</i><a>g</a> runs", "<b><i><a>DOG</a></i></b> RUNS"),
        ("un<b>believ</b>able", "<b>UNBELIEVABLE</b>"),
        ("<b>Bold te</b>xt", "<b>BOLD TEXT</b>"),
        ("See <a>file</a>s.", "SEE <a>FILES</a>."),
        ("super<wbr>cali", "<wbr>SUPERCALI"),
        ("H<sub>2</sub>O x<sup>th</sup>", "H<sub>2</sub>O X<sup>TH</sup>"),
        ("<a>home</a><a>about</a>", "<a>HOME</a><a>ABOUT</a>"),
        ("<span>Name</span><span>Age</span>", "<span>NAME</span><span>AGE</span>"),
    ],
)
def test_words_cut_by_tags_are_whole(before, after):
    assert translate_html(before, upper) == after
    assert translate_html(before, same) == before


@settings(max_examples=example_count(200), deadline=None)
@given(st.lists(st.sampled_from(["a", "bc", " ", "D", "<b>", "</b>", "<i>", "</i>", "<wbr>", "字", "1"]), max_size=12))
@example(["a", "字", " ", " ", "<b>", "字"])
def test_whole_words_lose_nothing(parts):
    page = "".join(parts)
    tags = re.compile(r"<[^>]*>")
    assert sorted(tags.findall(translate_html(page, upper))) == sorted(tags.findall(page))
    assert tags.sub("", translate_html(page, upper)) == tags.sub("", page).upper()
    assert merge_split_words([page]) == ([page] if page else [])


@pytest.mark.parametrize("count", [5_000, 20_000])
def test_a_tag_is_a_tag_however_many_attributes_it_has(count):
    tag = "<p " + " ".join(f'a{i}="x"' for i in range(count)) + ">"
    assert translate_html(f"{tag}a word</p>", upper) == f"{tag}A WORD</p>"


BOMBS = [
    "<",
    "<a ",
    '<a "',
    "<a b='",
    "&",
    "<b>a ",
    "<b>",
    "</b>a ",
    "<!--",
    "<!",
    "{{",
    "{{ a ",
    "{%",
    "a}} {{",
    "<p a=x ",
    "a<b",
    "<p a=",
    "<a ' \" ",
    "=",
    "a %s ",
    "<i>a</i>",
    "<code>",
    "<!DOCTYPE [",
    "{{<",
    "[%",
    "<title>",
    "'",
    '<a b="{{ x }}">',
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_work_grows_with_length_and_no_faster(bomb):
    small, big = (calls(lambda n=n: translate_html(bomb * n, same)) for n in (800, 1600))
    assert big < 2.6 * small + 1000
    assert translate_html(bomb * 300, same) == bomb * 300


@settings(max_examples=example_count(200), deadline=None)
@given(st.text(alphabet="<>a /=\"'!-{}%[]", max_size=60))
def test_pieces_and_masks_are_the_text(text):
    assert "".join(piece.raw for piece in tokenize_html(text)) == text
    masks = mask_spans(text, expressions(text))
    assert masks.restored(masks.text) == text


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"><p>Caf\xe9', "cp1252"),
        (b"<meta charset=koi8-r>\xc1", "koi8-r"),
        (b'<?xml version="1.0" encoding="shift_jis"?>\x82\xa0', "cp932"),
        (b"<meta charset=utf-8>\xe9", None),
        (b"<meta charset=latin1>\xc3\xa9", None),
        (b"<!-- <meta charset=koi8-r> -->\xc1", None),
        (b"<meta charset=latin1>\x81", "iso8859-1"),
        (b"<meta charset=hex>", None),
        (b"\xe9", None),
    ],
)
def test_declared_encodings(data, name):
    assert declared_encoding(data) == name
    if name:
        assert data.decode(name).encode(name) == data


@pytest.mark.parametrize("end", ["<a", '<a href="x', "<img src='a b", "</b", '<a class="x" hr', "<br "])
def test_a_tag_that_the_end_cuts_is_no_text(end):
    assert translate_html(f"<p>A word {end}", upper) == f"<p>A WORD {end}"
    assert translate_html("<p>a < b, x <y of it", upper) == "<p>A &lt; B, X &lt;Y OF IT"
