import gzip
from pathlib import Path

import pytest

from distilmt.data.readers.apt import Indices
from distilmt.data.readers.debian import (
    AlignedSentence,
    Description,
    DescriptionBlock,
    aligned_sentences,
    description_blocks,
    descriptions,
    english_sentences,
)
from distilmt.data.sentence_splitter import sentences

Descriptions = dict[str, tuple[str, str, str]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? four", ["One.", "Two!", "Three? four"]),
        ("Tools, e.g. Vim, by J. Smith et al. It runs.", ["Tools, e.g. Vim, by J. Smith et al. It runs."]),
        ("It (see foo.) “Quoted.” Übung macht.", ["It (see foo.)", "“Quoted.”", "Übung macht."]),
        ("Version 1.2 is out. 3 bugs.", ["Version 1.2 is out.", "3 bugs."]),
        ("这是一。这是二！「三。」四。", ["这是一。", "这是二！", "「三。」", "四。"]),
        ("Это раз. это два. Это три.", ["Это раз. это два.", "Это три."]),
        ("Yahoo! é un sito", ["Yahoo! é un sito"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_blocks() -> None:
    first = " First line\n goes on.\n  * one\n    more\n  - two\n Then:\n   verbatim  x\n"
    second = " .\n Last Qt-\n Module, pre-\n and."
    assert description_blocks(first + second) == [
        [
            DescriptionBlock("P", "First line goes on."),
            DescriptionBlock("B", "one more"),
            DescriptionBlock("B", "two"),
            DescriptionBlock("P", "Then:"),
            DescriptionBlock("V", "verbatim x"),
        ],
        [DescriptionBlock("P", "Last Qt-Module, pre- and.")],
    ]


def test_east_asian_lines_are_joined_without_space() -> None:
    assert description_blocks(" 日本語の文\n を Debian\n で使う。") == [
        [DescriptionBlock("P", "日本語の文を Debian で使う。")]
    ]


def index(folder: Path, language: str, descriptions: Descriptions) -> Path:
    stanzas = [
        f"Package: {package}\nDescription-md5: {md5}\nDescription-{language}: {short}\n{long}\n"
        for md5, (package, short, long) in descriptions.items()
    ]
    path = folder / f"Translation-{language}.gz"
    path.write_bytes(gzip.compress("\n".join(stanzas).encode(), mtime=0))
    return path


def align(
    folder: Path, english: dict[str, tuple[str, str, str]], italian: dict[str, tuple[str, str, str]]
) -> list[AlignedSentence]:
    packages = folder / "packages.tsv.gz"
    packages.write_bytes(gzip.compress(b"foo-bin\tfoo\tutils\n", mtime=0))
    translations = {"en": index(folder, "en", english), "it": index(folder, "it", italian)}
    return list(aligned_sentences(Indices(translations, packages, ""), "en", "it"))


def test_descriptions_are_one_line_each_and_there_once(tmp_path: Path) -> None:
    packages = tmp_path / "packages.tsv.gz"
    packages.write_bytes(gzip.compress(b"foo-bin\tfoo\tnet\nfoo-alt\tfoo\tnet\nbar\tbar\t\n", mtime=0))
    long = " It does things.\n Quickly.\n .\n  * fast"
    english = {
        "1": ("foo-bin", "tool for things", long),
        "2": ("foo-alt", "Tool for things!", long),  # alike but for case and punctuation
        "3": ("bar", "tool of no section", " It is."),
        "4": ("gone", "in no index", " It was."),
    }
    result = list(descriptions(Indices({"en": index(tmp_path, "en", english)}, packages, "")))
    assert result == [Description("foo-bin", "foo", "net", "tool for things. It does things. Quickly. * fast")]


def test_english_sentences_come_with_their_source_package(tmp_path: Path) -> None:
    packages = tmp_path / "packages.tsv.gz"
    packages.write_bytes(gzip.compress(b"foo-bin\tfoo\tnet\n", mtime=0))
    english = {
        "1": ("foo-bin", "tool for things", " It does things. It is small.\n  * fast search\n .\n   int main();"),
        "2": ("bar", "tool for things", " It is small. Word.\n 12 34 56 7 x."),
    }
    assert list(english_sentences(Indices({"en": index(tmp_path, "en", english)}, packages, ""))) == [
        ("foo", "tool for things"),
        ("foo", "It does things."),
        ("foo", "It is small."),
        ("foo", "fast search"),
        ("bar", "tool for things"),
        ("bar", "It is small."),
    ]


def test_pairs_join_by_checksum_and_align_by_structure(tmp_path: Path) -> None:
    english = {
        "1": ("foo-bin", "tool for things", " It does things. It is small.\n  * fast search\n .\n   int main();"),
        "2": ("only-english", "no translation here", " None at all."),
    }
    italian = {
        "1": ("foo-bin", "strumento per cose", " Fa cose. È piccolo.\n  * ricerca veloce\n .\n   int main();"),
        "3": ("only-italian", "senza originale", " Nulla di nulla."),
    }
    assert align(tmp_path, english, italian) == [
        AlignedSentence("foo", "S", "tool for things", "strumento per cose"),
        AlignedSentence("foo", "P", "It does things.", "Fa cose."),
        AlignedSentence("foo", "P", "It is small.", "È piccolo."),
        AlignedSentence("foo", "B", "fast search", "ricerca veloce"),
    ]


@pytest.mark.parametrize(
    ("english", "italian"),
    [
        (" It does. It is.", " Fa ed è cose."),
        (" It does it.\n .\n It is it.", " Fa una cosa."),
        (" It does it.\n  * it is it", " Fa una cosa.\n È una cosa."),
        (" the same text", " the same text"),
        (" word", " parola"),
        (" 12 34 56 7 x", " 12 34 56 7 y"),
        (" short one", " una frase che è molto ma molto più lunga del suo originale"),
    ],
)
def test_what_does_not_align_is_dropped(tmp_path: Path, english: str, italian: str) -> None:
    left, right = {"1": ("foo-bin", "x", english)}, {"1": ("foo-bin", "y", italian)}
    assert align(tmp_path, left, right) == []
