"""A real apt-get downloads packages that dpkg-deb builds here; no network is used."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from helpers.apt_archive import Repository

from distilmt.config import CorpusConfig, SourceConfig
from distilmt.data import sources
from distilmt.data.pairs import Pair
from distilmt.data.readers import apt, debian_messages
from distilmt.data.splitting import package_split
from distilmt.utils.errors import UserError

polib = pytest.importorskip("polib")
pytestmark = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None, reason="apt-get or dpkg-deb is not here"
)

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2026 A
License: GPL-2+

Files: debian/*
License: MIT
"""
MESSAGES = {"It frobs the files.": "Frobba i file.", "_Quit": "_Esci", "Save _as": "Salva _come", "OK": "OK"}


class Archive(Repository):
    """An archive with packages that have catalogs."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.stanzas: list[str] = []

    def add(
        self,
        name: str,
        messages: dict[str, str],
        language: str = "it",
        source: str | None = None,
        content: bytes | None = None,
    ) -> None:
        """Build a package and publish it; `content` replaces that of its catalog."""
        tree = self.root / "build" / name
        catalog = tree / f"usr/share/locale/{language}/LC_MESSAGES/{name}.mo"
        about = tree / f"usr/share/doc/{name}/copyright"
        for path in (catalog, about, tree / "DEBIAN/control"):
            path.parent.mkdir(parents=True)
        entries = polib.POFile()
        entries.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
        for message, translation in messages.items():
            entries.append(polib.POEntry(msgid=message, msgstr=translation))
        entries.append(polib.POEntry(msgid="%d file", msgid_plural="%d files", msgstr_plural={0: "%d file uno", 1: ""}))
        entries.save_as_mofile(str(catalog))
        if content is not None:
            catalog.write_bytes(content)
        about.write_text(COPYRIGHT)
        control = f"Package: {name}\nVersion: 1:2.0\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: {name}\n"
        control += f"Source: {source}\n" if source else ""
        (tree / "DEBIAN/control").write_text(control)
        deb = self.root / f"pool/{name}.deb"
        deb.parent.mkdir(exist_ok=True)
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(deb)]
        subprocess.run(command, check=True, capture_output=True)
        data = deb.read_bytes()
        place = f"Filename: pool/{name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        self.stanzas.append(control + place)
        self.write("binary-all/Packages", "\n".join(self.stanzas))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def fetch(
    archive: Archive, cache: Path, patterns: Sequence[str] = ("frob-data", "game-1.*-ei"), languages: str = "en it"
) -> debian_messages.MessageFile:
    source, target = languages.split()
    return debian_messages.fetch((source, target), cache, patterns, archive.config)


def test_messages_come_with_their_source_package_without_its_version(archive: Archive, tmp_path: Path) -> None:
    archive.add("frob-data", MESSAGES, source="frobnicate (2.0)")
    archive.add("game-1.16-ei", {"Flee, my friends!": "Fuggite, amici miei!"}, source="game-1.16")
    archive.add("other", {"Not in the list.": "Non è nella lista."})
    messages = fetch(archive, tmp_path / "cache")
    assert [tuple(record) for record in debian_messages.aligned_sentences(messages, "en")] == [
        ("frobnicate", "P", "It frobs the files.", "Frobba i file."),
        ("frobnicate", "P", "Save as", "Salva come"),
        ("game", "P", "Flee, my friends!", "Fuggite, amici miei!"),
    ]
    assert messages.versions == {"frob-data": "1:2.0", "game-1.16-ei": "1:2.0"}
    assert messages.license == "those of 2 Debian packages, by number of packages: GPL-2+ (2)"
    turned = debian_messages.aligned_sentences(messages, "it")
    assert turned[0][2:] == ("Frobba i file.", "It frobs the files.")
    assert not list((tmp_path / "cache").glob(".apt-*"))


def test_single_words_are_a_tenth_of_the_sentences(archive: Archive, tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"[:20]
    archive.add(
        "frob-data", {f"word{a}": f"parola{a}" for a in letters} | {f"of {a}word": f"di {a}parola" for a in letters}
    )
    records = debian_messages.aligned_sentences(fetch(archive, tmp_path / "cache"), "en")
    assert [record.kind for record in records].count("P") == 20
    assert [record.kind for record in records].count("S") == 2


def test_second_call_needs_no_archive_and_another_list_does(archive: Archive, tmp_path: Path) -> None:
    archive.add("frob-data", MESSAGES)
    first = fetch(archive, tmp_path / "cache")
    shutil.rmtree(archive.root)
    assert fetch(archive, tmp_path / "cache") == first
    with pytest.raises(UserError, match="none of the packages"):
        fetch(archive, tmp_path / "cache", ["frob-data"])


def test_fingerprint_follows_content(archive: Archive, tmp_path: Path) -> None:
    archive.add("frob-data", MESSAGES)
    first, again = (fetch(archive, tmp_path / name) for name in ("one", "two"))
    archive.add("game-1.18-ei", MESSAGES)
    assert first.fingerprint == again.fingerprint != fetch(archive, tmp_path / "three").fingerprint


def test_what_cannot_be_used_is_one_clear_line(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add("frob-data", MESSAGES, "de")
    with pytest.raises(UserError, match=r"no messages in 'it': write the code as Debian does"):
        fetch(archive, tmp_path / "cache")
    with pytest.raises(UserError, match="debian-messages has no pair de-it"):
        fetch(archive, tmp_path / "cache", languages="de it")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="apt-get is missing: run this on a Debian-like system"):
        fetch(archive, tmp_path / "cache")


def test_a_damaged_catalog_is_left_out(archive: Archive, tmp_path: Path) -> None:
    archive.add("frob-data", MESSAGES, content=b"\xde\x12\x04\x95" + b"\xff" * 40)
    archive.add("game-1.18-ei", MESSAGES)
    assert list(fetch(archive, tmp_path / "cache").versions) == ["game-1.18-ei"]


def test_the_packages_of_valid_and_test_are_no_training_text(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = [f"frob{chr(97 + a)}{chr(97 + b)}" for a in range(10) for b in range(10)]
    chosen = [next(name for name in names if package_split(name) == split) for split in ("train", "valid", "test")]
    words = ("It reads all your", "Never open any of", "Close this before all")
    for name, start in zip(chosen, words, strict=True):
        archive.add(name, {f"{start} {name} files": f"{name}: {start.upper()} file"})
    # Sentences of common words, or they would have the same template.
    archive.add("more", {f"It reads all your {name} files": f"Legge tutti i tuoi {name} file" for name in names[:20]})
    patterns = (*chosen, "more")
    fetch(archive, apt.default_cache(), patterns)
    monkeypatch.setattr(debian_messages.fetch, "__defaults__", (patterns, archive.config))
    opened, splits = sources.open_sources(CorpusConfig(dataset="debian-messages"))
    assert [names_in(pairs) for pairs in (splits.valid, splits.test)] == [{chosen[1]}, {chosen[2]}]
    assert names_in(opened[0].pairs) == {chosen[0], *names[:20]}
    assert opened[0].license is not None and "GPL-2+ (4)" in opened[0].license
    added = CorpusConfig(train=["a.en", "a.it"], sources=[SourceConfig(dataset="debian-messages")])
    monkeypatch.setattr(sources, "read_pairs", lambda *_: ())
    (_, messages), _ = sources.open_sources(added)
    assert names_in(messages.pairs) == {chosen[0], *names[:20]}


def names_in(pairs: Iterable[Pair] | None) -> set[str]:
    """The last word but one of every source."""
    return {pair.source.split()[-2] for pair in pairs or ()}
