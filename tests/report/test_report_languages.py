"""The catalogs of messages: complete, nothing stale, and compiled."""

import ast
import gettext
import importlib
import io
import re
import sys
from pathlib import Path
from typing import get_args

import polib
import pytest

from distilmt.config.choices import ReportLanguage
from distilmt.report.html import render
from distilmt.report.languages import DOMAIN, Translation, languages, translation
from distilmt.utils.errors import UserError

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs"))
make_catalog = importlib.import_module("make_catalog")
REMEDY = "run `python docs/make_catalog.py`"
TRANSLATED = [language for language in languages() if language != "en"]


def po_file(language: str) -> Path:
    return make_catalog.LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))


def test_the_languages_of_the_configuration_have_catalogs():
    assert sorted(get_args(ReportLanguage)) == sorted(languages()) and {"en", "zh"} <= set(languages())


def test_pages_name_their_language_as_html_does():
    assert translation("zh").tag == "zh-CN" and translation("en").tag == "en"


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalog_has_the_messages_of_code_and_templates_and_no_others(language):
    entries = {(entry.msgctxt, entry.msgid, entry.msgid_plural) for entry in polib.pofile(str(po_file(language)))}
    messages = {(message.context, message.text, message.plural) for message in make_catalog.messages()}
    assert len(messages) > 200 and entries == messages, REMEDY


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated_with_its_values(language):
    for entry in polib.pofile(str(po_file(language))):
        texts = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        assert "fuzzy" not in entry.flags
        for text in texts:
            assert text and placeholders(text) == placeholders(entry.msgid), entry.msgid
            text % dict.fromkeys(re.findall(r"%\((\w+)\)s", text), "x")  # no stray per cent sign


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_compiled_catalog_is_that_of_the_text(language):
    compiled = po_file(language).with_suffix(".mo").read_bytes()
    assert compiled == polib.pofile(str(po_file(language))).to_binary(), REMEDY


def test_messages_are_detected_in_code_and_templates():
    code = 'def f(_):\n    return _("a %(b)s", b=1), _.ngettext("one", "many", 2), _.pgettext("where", "c"), g("no")'
    messages = make_catalog.Message
    result = list(make_catalog.messages_in_code(ast.parse(code)))
    assert result == [messages("a %(b)s"), messages("one", "many"), messages("c", context="where")]
    template = '{{ _("x") }}{% trans n=2 %}one{% pluralize %}{{ n }} many{% endtrans %}{{ pgettext("where", "y") }}'
    assert list(make_catalog.messages_in_template(template)) == [
        messages("x"),
        messages("one", "%(n)s many"),
        messages("y", context="where"),
    ]


def test_plural_rules_of_a_language_are_used():
    text = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        '"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 ? 1 : 2);\\n"\n\n'
        'msgid "%(num)s file"\nmsgid_plural "%(num)s files"\n'
        'msgstr[0] "%(num)s файл"\nmsgstr[1] "%(num)s файла"\nmsgstr[2] "%(num)s файлов"\n'
    )
    catalog = gettext.GNUTranslations(io.BytesIO(polib.pofile(text).to_binary()))
    _ = Translation("ru", catalog)
    shown = [_.ngettext("%(num)s file", "%(num)s files", number, num=number) for number in (1, 3, 5, 21)]
    assert shown == ["1 файл", "3 файла", "5 файлов", "21 файл"]


@pytest.mark.parametrize(("number", "expected"), [(1, "1 test sentence."), (2, "2 test sentences.")])
def test_one_sentence_is_not_sentences(italian, number, expected):
    italian["test"]["sentences"] = number
    assert f"Scores over {expected}" in render(italian, "en")


def test_an_unknown_language_is_one_line():
    with pytest.raises(UserError, match="'fr': choose one of en, zh"):
        translation("fr")
