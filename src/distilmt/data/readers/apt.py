"""Download Debian's package descriptions and their translations with apt's own client, into a private folder.

It installs nothing, needs no root, and does not change apt's own lists: it only reads the machine's sources, keys and
proxy settings. `apt_packages` downloads whole packages in the same way.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import atomic_path, fingerprint, write_json

TIMEOUT_SECONDS = 900
PACKAGES = "packages-sections"
"""Name of the index of all packages."""
INSTEAD = "or name other text (--corpus.train a.en a.it), or a Hugging Face data set (--corpus.dataset hf:NAME)"
"""What to do without apt, the end of an error message."""
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::Languages;
#clear Acquire::IndexTargets;
APT::Sandbox::User "{user}";
Acquire::Languages {{ {languages} }};
Acquire::IndexTargets::deb::Translations {{
  MetaKey "$(COMPONENT)/i18n/Translation-$(LANGUAGE)";
  flatMetaKey "$(LANGUAGE)";
  ShortDescription "Translation-$(LANGUAGE)";
  Description "$(RELEASE)/$(COMPONENT) Translation-$(LANGUAGE)";
  flatDescription "$(RELEASE) Translation-$(LANGUAGE)";
}};
Acquire::GzipIndexes "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::State::Lists "{lists}";
Dir::Cache "{cache}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""
PACKAGES_TARGET = """\
Acquire::IndexTargets::deb::Packages {
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
  Optional "0";
};
"""
"""Configuration with which `update` downloads the index of all packages."""


@dataclass(frozen=True)
class Indices:
    """Downloaded index files, each a gzipped text of stanzas."""

    translations: dict[str, Path]
    """Description file by language code."""
    packages: Path
    """File of binary and source package names and archive sections, separated by tabs, one package per line."""
    fingerprint: str
    """Hash of the contents of all files."""


def default_cache() -> Path:
    """Folder of downloaded files: `distilmt/apt` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distilmt" / "apt"


def fetch(languages: Sequence[str], cache: Path, config_file: Path | None = None) -> Indices:
    """Download the descriptions in some languages, unless the cache has them complete.

    Args:
        languages: codes as Debian writes them (`en`, `it`, `pt_BR`).
        cache: private folder; created if missing.
        config_file: apt configuration read after the machine's (for other sources).

    Raises:
        UserError: no apt, no network, or no translations into one of the languages.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with locked_cache(cache):
        missing = [name for name in (*languages, PACKAGES) if not _is_whole(cache, name)]
        if missing:
            _fetch_missing(missing, cache, config_file)
        manifest = _manifest(cache)
    sums = {name: manifest[name]["sha256"] for name in (*languages, PACKAGES)}
    paths = {language: _path(cache, language) for language in languages}
    return Indices(paths, _path(cache, PACKAGES), fingerprint(sums))


@contextmanager
def locked_cache(cache: Path) -> Iterator[None]:
    """Lock the cache, a folder that exists; leftovers of killed downloads are removed."""
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in (*cache.glob(".apt-*"), *cache.glob(".*.tmp")):
            # The apt process of a killed download may still write: its new files are removed next time.
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        yield


def _path(cache: Path, name: str) -> Path:
    return cache / (f"{PACKAGES}.tsv.gz" if name == PACKAGES else f"Translation-{name}.gz")


def _manifest(cache: Path) -> dict[str, dict[str, object]]:
    try:
        manifest = json.loads((cache / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _is_whole(cache: Path, name: str) -> bool:
    try:
        return _manifest(cache)[name] == describe(_path(cache, name))
    except (KeyError, OSError):
        return False


def describe(path: Path) -> dict[str, object]:
    """Size and SHA-256 of a file, for a manifest."""
    data = path.read_bytes()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _fetch_missing(missing: list[str], cache: Path, config_file: Path | None) -> None:
    languages = [name for name in missing if name != PACKAGES]
    work = cache / f".apt-{os.getpid()}"
    try:
        extra = (PACKAGES_TARGET if PACKAGES in missing else "") + (config_file.read_text() if config_file else "")
        error_line = update(languages or ["en"], work, extra)
        lists = work / "lists"
        _check_languages(languages, lists, error_line)
        for name in missing:
            _store(name, lists, cache)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def update(languages: Sequence[str], work: Path, extra: str) -> str:
    """Download apt's lists into `work/lists`, by a configuration that stays in `work/apt.conf`.

    Args:
        languages: languages of the descriptions; `none` downloads none.
        work: private folder; created if missing.
        extra: apt configuration read after the machine's.

    Returns:
        apt's first error line.
    """
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    names = " ".join(f'"{language}";' for language in languages)
    user = "root" if os.geteuid() == 0 else "_apt"
    text = _CONFIGURATION.format(user=user, languages=names, lists=work / "lists", cache=work / "cache")
    (work / "apt.conf").write_text(text + extra, encoding="utf-8")
    return run_apt(["update"], work, "download package descriptions with apt")


def run_apt(arguments: list[str], work: Path, purpose: str) -> str:
    """Run apt-get in a folder that `update` has prepared, and show `purpose` as progress.

    Returns:
        Its first error line.

    Raises:
        UserError: there is no apt-get.
    """
    lines = _run(["apt-get", "-c", str(work.resolve() / "apt.conf"), *arguments], work, purpose)
    error_lines = [line for line in lines if re.match("(E|W|Err):", line)]
    failures = [line for line in error_lines if "Failed to fetch" in line]
    return (failures or error_lines or ["apt-get printed no error"])[0]


def _run(command: list[str], directory: Path, purpose: str) -> list[str]:
    """Output of a command, shown as progress while it runs, or the reason of its failure."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    lines = []
    try:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError(f"apt-get is missing: run this on a Debian-like system, {INSTEAD}") from None
    timer = threading.Timer(TIMEOUT_SECONDS, process.kill)
    timer.start()
    try:
        with process, progress.task(purpose, None, "files") as task:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.strip())
                task.advance(line.startswith("Get:"))
    finally:
        timer.cancel()
        process.kill()
    return lines


def _check_languages(languages: list[str], lists: Path, error_line: str) -> None:
    releases = [path.read_text(errors="replace") for path in lists.glob("*Release")]
    offered = {code for text in releases for code in re.findall(r"/i18n/Translation-([A-Za-z_@]+)\b", text)}
    if not offered:
        raise UserError(
            f"apt found no package descriptions ({error_line}): check the network and apt's sources, {INSTEAD}"
        )
    for language in languages:
        if language not in offered:
            available = ", ".join(sorted(offered))
            raise UserError(
                f"Debian has no package descriptions in {language!r} (it has {available}): name one of these"
            )
        if not index_files(language, lists):
            raise UserError(f"apt could not fetch Translation-{language} ({error_line}): try again, {INSTEAD}")


def index_files(name: str, lists: Path) -> list[Path]:
    """Files of apt's lists with the descriptions in a language, or with the packages (`PACKAGES`)."""
    # apt separates names with underscores, so it writes an underscore inside a name as %5f.
    kind = "_Packages" if name == PACKAGES else "_Translation-" + name.replace("_", "%5f")
    pattern = re.compile(rf".*{re.escape(kind)}(\.(lz4|gz|xz|bz2|zst))?")
    return sorted(path for path in lists.iterdir() if pattern.fullmatch(path.name))


def _store(name: str, lists: Path, cache: Path) -> None:
    """Move the files that apt downloaded into the cache, then record them in the manifest."""
    with atomic_path(_path(cache, name)) as path:
        with path.open("wb") as file, gzip.GzipFile("", "wb", 3, file, mtime=0) as packed:
            for index in index_files(name, lists):
                text = read_index(index)
                packed.write(_packages(text) if name == PACKAGES else text + b"\n\n")
        description = describe(path)
    write_json(cache / "manifest.json", {**_manifest(cache), name: description})


def read_index(index: Path) -> bytes:
    """Content of a file of apt's lists."""
    # apt stores lists as downloaded, or compressed if a later configuration file sets that.
    if index.suffix not in (".lz4", ".gz", ".xz", ".bz2", ".zst"):
        return index.read_bytes()
    helper = ["/usr/lib/apt/apt-helper", "cat-file", str(index)]
    return subprocess.run(helper, check=True, stdout=subprocess.PIPE).stdout


def _packages(packages: bytes) -> bytes:
    """Lines of binary and source package name and section, from the stanzas of a Packages file."""
    lines, fields = [], dict[bytes, bytes]()
    for line in (*packages.splitlines(), b""):
        field, _, value = line.partition(b": ")
        if field in (b"Package", b"Source", b"Section"):
            fields[field] = value.split()[0] if value.split() else b""
        elif not line and fields.get(b"Package"):
            binary = fields[b"Package"]
            section = fields.get(b"Section", b"").rpartition(b"/")[2]  # contrib/net is net
            lines.append(b"\t".join((binary, fields.get(b"Source") or binary, section)) + b"\n")
            fields = {}
    return b"".join(lines)
