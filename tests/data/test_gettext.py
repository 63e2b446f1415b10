from pathlib import Path

import polib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.data.pairs import Pair
from distilmt.data.readers.files import read_pairs
from distilmt.data.readers.gettext import find_catalogues
from distilmt.utils.errors import UserError

# polib reads lines as Python's universal newlines do, so other ends of lines do not come back.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def catalogue(entries: list[polib.POEntry], **metadata: str) -> polib.POFile:
    file = polib.POFile(wrapwidth=40)
    file.metadata = {"Content-Type": "text/plain; charset=UTF-8", **metadata}
    file.extend(entries)
    return file


def read(path: Path, target: str = "it") -> list[tuple[str, str]]:
    pairs = list(read_pairs([str(path)], "en", target))
    lines = [pair.line for pair in pairs]
    assert lines == sorted(set(lines))
    return [(pair.source, pair.target) for pair in pairs]


@QUICK
@given(st.dictionaries(TEXT, TEXT, min_size=1, max_size=6), st.booleans())
def test_round_trip(tmp_path: Path, pairs: dict[str, str], binary: bool) -> None:
    file = catalogue([polib.POEntry(msgid=left, msgstr=right) for left, right in pairs.items()], Language="it")
    path = tmp_path / ("a.mo" if binary else "a.po")
    file.save_as_mofile(str(path)) if binary else file.save(str(path))
    assert sorted(read(path)) == sorted(pairs.items())


ENTRIES = [
    polib.POEntry(msgid="one\nline", msgstr="una\nriga"),
    polib.POEntry(msgid="fuzzy", msgstr="confuso", flags=["fuzzy"]),
    polib.POEntry(msgid="gone", msgstr="via", obsolete=True),
    polib.POEntry(msgid="untranslated"),
    polib.POEntry(msgid="%d file", msgid_plural="%d files", msgstr_plural={0: "%d documento", 1: "%d documenti"}),
    polib.POEntry(msgid="half", msgid_plural="halves", msgstr_plural={0: "metà", 1: ""}),
    polib.POEntry(msgid="Open", msgctxt="menu", msgstr="Apri"),
]
EXPECTED = [
    ("one\nline", "una\nriga"),
    ("%d file", "%d documento"),
    ("%d files", "%d documenti"),
    ("Open", "Apri"),
]


@pytest.mark.parametrize("name", ["a.po", "a.mo"])
def test_what_is_no_translation_is_left_out(tmp_path: Path, name: str) -> None:
    file = catalogue(ENTRIES, Language="it_IT")
    file.save_as_mofile(str(tmp_path / name)) if name == "a.mo" else file.save(str(tmp_path / name))
    assert sorted(read(tmp_path / name)) == sorted(EXPECTED)


def test_plural_forms(tmp_path: Path) -> None:
    one = polib.POEntry(msgid="a file", msgid_plural="%d files", msgstr_plural={0: "%d 个文件"})
    three = polib.POEntry(msgid="%d file", msgid_plural="%d files", msgstr_plural={0: "a", 1: "b", 2: "b"})
    catalogue([one]).save(str(tmp_path / "zh.po"))
    assert read(tmp_path / "zh.po", "zh") == [("%d files", "%d 个文件")]
    catalogue([three]).save(str(tmp_path / "pl.po"))
    assert read(tmp_path / "pl.po", "pl") == [("%d file", "a"), ("%d files", "b")]


def test_other_language_and_damage(tmp_path: Path) -> None:
    catalogue(ENTRIES, Language="fr").save(str(tmp_path / "a.po"))
    with pytest.raises(UserError, match=r"a\.po is in 'fr'"):
        read(tmp_path / "a.po")
    for name, data in (
        ("a.po", b'msgid "a\nmsgstr'),
        ("a.po", b'msgid "a"\nmsgstr[x] "b"\n'),
        ("a.po", b'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "a"\nmsgstr "\xff"\n'),
        ("a.mo", b"nothing"),
        ("a.mo", b"\xde\x12\x04\x95" + b"\0" * 4 + b"\xff" * 12),
        ("a.mo", b"\xde\x12\x04\x95" + b"\0" * 4 + (4).to_bytes(4, "little") + b"\x14\0\0\0" * 2 + b"\xff" * 64),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=name):
            read(tmp_path / name)


def save(folder: Path, place: str, number: int) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    file = catalogue([polib.POEntry(msgid=f"text {number}", msgstr=place)])
    file.save_as_mofile(str(path)) if path.suffix == ".mo" else file.save(str(path))


def test_trees(tmp_path: Path) -> None:
    places = ["it.po", "app.it.po", "po/app/it.po", "locale/it/LC_MESSAGES/app.po", "locale/it/LC_MESSAGES/b.mo"]
    others = ["de.po", "locale/fr/LC_MESSAGES/app.po", "locale/it/LC_MESSAGES/app.mo", "notes.txt"]
    for number, place in enumerate([*places, *others]):
        save(tmp_path, place, number)
    assert sorted(str(path.relative_to(tmp_path)) for path in find_catalogues(tmp_path, "it")) == sorted(places)
    assert sorted(target for _, target in read(tmp_path)) == sorted(places)
    assert [pair.line for pair in read_pairs([str(tmp_path)], "en", "it_IT")] == [1, 2, 3, 4, 5]
    with pytest.raises(UserError, match=r"no unique \.po or \.mo files in 'es' \(it has app, de, fr, it, po"):
        read(tmp_path, "es")


def test_regions_in_trees(tmp_path: Path) -> None:
    save(tmp_path, "pt_BR.po", 1)
    assert read(tmp_path, "pt") == [("text 1", "pt_BR.po")]
    save(tmp_path, "pt_PT.po", 2)
    assert read(tmp_path, "pt-br") == [("text 1", "pt_BR.po")]
    with pytest.raises(UserError, match="pt_BR, pt_PT"):
        read(tmp_path, "pt")


def test_pairs_have_lines_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "it.po").write_text('msgid "a"\nmsgstr "b"\n\n# note\nmsgid "c"\nmsgstr "d"\n')
    assert list(read_pairs([str(tmp_path / "it.po")], "en", "it")) == [Pair(1, "a", "b"), Pair(4, "c", "d")]
