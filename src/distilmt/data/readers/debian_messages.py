"""Sentence pairs from the messages of programs and games in Debian packages: compiled gettext catalogs (.mo)."""

from __future__ import annotations

import gzip
import json
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distilmt.data.cleaning import hash64, split_words
from distilmt.data.readers import apt, apt_packages, gettext
from distilmt.data.readers.apt_packages import DebianPackage
from distilmt.data.readers.debian import AlignedSentence, is_plausible
from distilmt.data.readers.message_text import message_pairs
from distilmt.utils.errors import UserError
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import atomic_path, fingerprint, read_json, write_json

logger = logging.getLogger(__name__)

PACKAGES = (
    *("aisleriot", "anjuta-common", "apt", "aptitude-common", "audacity-data", "bash", "binutils-common"),
    *("bluefish-data", "caja-common", "cinnamon-l10n", "claws-mail-i18n", "coreutils", "cryptsetup-bin", "darktable"),
    *("digikam-data", "dpkg", "evolution-common", "filezilla-common", "geany-common", "gettext", "git"),
    *("gnome-control-center-data", "gnome-software-common", "gnucash-common", "gnumeric-common", "gnupg-l10n"),
    *("gparted-common", "grisbi-common", "gthumb-data", "homebank-data", "hugin-data", "kate5-data", "kdenlive-data"),
    *("libgtk-3-common", "mc-data", "minetest-data", "mutt", "nautilus-data", "pidgin-data", "planner-data"),
    *("rhythmbox-data", "shotwell-common", "skrooge-common", "synaptic", "systemd", "tellico-data", "tuxpaint-data"),
    *("util-linux-locales", "vlc-l10n", "wget"),
    *(f"wesnoth-1.*-{campaign}" for campaign in ("did", "dm", "dw", "ei", "l", "sof", "sota", "sotbe", "thot", "ttb")),
)
"""Packages with many messages, and campaigns of a game, whose characters talk: 232 MB to download, once a language."""
_SINGLE_SHARE = 0.1
"""Single words per other sentence: catalogs have very many of them (menus, units, names)."""
_VERSION = re.compile(r"[-.]?\d[\d.]*$")
_LICENSE = re.compile(r"^Files:\s*\*\s*\n(?:(?!\n\n).)*?^License:[ \t]*(\S[^\n]*)", re.MULTILINE | re.DOTALL)
_LISTED_LICENSES = 5


@dataclass(frozen=True)
class MessageFile:
    """Messages of all packages in one language."""

    path: Path
    """Gzipped lines of JSON: source package, message, translation."""
    versions: Mapping[str, str]
    """Version by package."""
    license: str
    """The packages' licenses, in words."""
    fingerprint: str
    """Hash of the content."""


def fetch(
    languages: tuple[str, str],
    cache: Path,
    patterns: Sequence[str] = PACKAGES,
    config_file: Path | None = None,
) -> MessageFile:
    """Download packages and keep their messages in one language, unless the cache has them complete.

    Args:
        languages: source and target; messages are in English, so one of them must be `en`.
        cache: private folder; created if missing.
        patterns: names of packages; `*` stands for any characters.
        config_file: apt configuration read after the machine's (for other sources).

    Raises:
        UserError: neither language is English; no apt, no network, or no catalogs in the other language.
    """
    language = _other_language(languages)
    cache.mkdir(parents=True, exist_ok=True)
    path, record = cache / f"messages-{language}.jsonl.gz", cache / f"messages-{language}.json"
    with apt.locked_cache(cache):
        facts = _record(record, path, patterns)
        if facts is None:
            facts = {**_store(language, patterns, path, config_file), "patterns": list(patterns)}
            write_json(record, facts)
    licenses: dict[str, str | None] = facts["licenses"]
    return MessageFile(path, facts["versions"], _license_summary(licenses), fingerprint(facts["file"]))


def aligned_sentences(messages: MessageFile, source: str) -> list[AlignedSentence]:
    """Sentence pairs of all messages, those of a package once; kind S is a single word, P any other.

    `package` is the name of the source package without a version: the split of `wesnoth-1.18` is that of
    `wesnoth-1.16`.

    Args:
        messages: downloaded messages.
        source: language code of the source; `en`, or the language of the translations.
    """
    pairs = dict.fromkeys(
        (package, *((left, right) if source == "en" else (right, left)))
        for package, message, translation in _messages(messages.path)
        for left, right in message_pairs(message, translation)
        if is_plausible(left, right)
    )
    records = [AlignedSentence(package, _kind(left, right), left, right) for package, left, right in pairs]
    return _with_fewer_single_words(records)


def _other_language(languages: tuple[str, str]) -> str:
    others = [code for code in languages if code != "en"]
    if len(others) != 1:
        raise UserError(
            f"debian-messages has no pair {'-'.join(languages)}, since programs' messages are in English: set"
            " corpus.source or corpus.target to en"
        )
    return others[0]


def _record(record: Path, path: Path, patterns: Sequence[str]) -> JsonObject | None:
    """What the cache holds, if it is whole and of the same packages."""
    try:
        facts = read_json(record)
        whole = facts["file"] == apt.describe(path) and facts["patterns"] == list(patterns)
    except (OSError, ValueError, KeyError, TypeError, UserError):
        return None
    return facts if whole else None


def _store(language: str, patterns: Sequence[str], path: Path, config_file: Path | None) -> JsonObject:
    """Download the packages and write their messages; returns what the record says of them."""
    versions: dict[str, str] = {}
    licenses: dict[str, str | None] = {}
    with apt_packages.downloaded(patterns, path.parent, config_file) as packages, atomic_path(path) as temporary:
        with temporary.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            for package in packages:
                texts = _package_files(package, language)
                rows = [row for name in sorted(texts) if name.endswith(".mo") for row in _rows(package, texts[name])]
                if rows:
                    packed.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
                    versions[package.name] = package.version
                    licenses[package.name] = _license(texts)
        if not versions:
            raise UserError(
                f"Debian's packages have no messages in {language!r}: write the code as Debian does (it, pt_BR, zh_CN)"
            )
        return {"file": apt.describe(temporary), "versions": versions, "licenses": licenses}


def _package_files(package: DebianPackage, language: str) -> dict[str, bytes]:
    """Catalogs and copyright of a package."""
    name = re.escape(language)
    name_pattern = rf"(.*/)?{name}/LC_MESSAGES/[^/]+\.mo|usr/share/doc/{re.escape(package.name)}/copyright"
    return dict(apt_packages.files(package.path, re.compile(name_pattern)))


def _rows(package: DebianPackage, catalog: bytes) -> Iterator[list[str]]:
    """Source package, message and translation of every message of a catalog."""
    with tempfile.NamedTemporaryFile(suffix=".mo") as file:  # the library reads files alone
        file.write(catalog)
        file.flush()
        try:
            pairs = list(gettext.read_messages(Path(file.name)))
        except UserError as error:
            logger.info(f"a catalog of {package.name} is left out: {error}")
            return
    for pair in pairs:
        if pair.source and pair.target:
            yield [_VERSION.sub("", package.source), pair.source, pair.target]


def _messages(path: Path) -> Iterator[tuple[str, str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            package, message, translation = json.loads(line)
            yield package, message, translation


def _kind(source: str, target: str) -> str:
    return "S" if min(len(split_words(source)), len(split_words(target))) < 2 else "P"


def _with_fewer_single_words(records: list[AlignedSentence]) -> list[AlignedSentence]:
    """All sentences, and as many single words as `_SINGLE_SHARE` allows, chosen by their hash."""
    single_words = sorted({record.source for record in records if record.kind == "S"}, key=hash64)
    count = int(_SINGLE_SHARE * sum(record.kind == "P" for record in records))
    chosen = set(single_words[:count])
    return [record for record in records if record.kind == "P" or record.source in chosen]


def _license(texts: Mapping[str, bytes]) -> str | None:
    """The license of most files of a package, if its copyright declares it in a machine-readable way."""
    for name, content in texts.items():
        if name.endswith("/copyright") and (declared := _LICENSE.search(content.decode("utf-8", "replace"))):
            return declared[1].strip()
    return None


def _license_summary(licenses: Mapping[str, str | None]) -> str:
    counts = Counter(license or "not declared in a machine-readable way" for license in licenses.values())
    listed = [f"{name} ({count})" for name, count in counts.most_common(_LISTED_LICENSES)]
    if len(counts) > _LISTED_LICENSES:
        listed.append(f"others ({sum(counts.values()) - sum(dict(counts.most_common(_LISTED_LICENSES)).values())})")
    return f"those of {len(licenses)} Debian packages, by number of packages: {', '.join(listed)}"
