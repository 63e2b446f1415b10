"""Corpora of OPUS (opus.nlpl.eu): found by opustools, downloaded as Moses text, stored in a cache."""

from __future__ import annotations

import re
import shutil
import urllib.error
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path

from distilmt.data.readers.download import DownloadedCorpus, cache_folder
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.json_types import JsonObject
from distilmt.utils.run_dir import atomic_directory, read_json, write_json
from distilmt.utils.unpacking import ZIP_ERRORS

API = "https://opus.nlpl.eu/opusapi"
TIMEOUT_SECONDS = 60
_CHUNK = 1 << 20
_INSTEAD = "check the network, or name files instead"


def fetch(name: str, source: str, target: str) -> DownloadedCorpus:
    """The files of a corpus, downloaded unless cached.

    Args:
        name: `opus:NAME[/VERSION]`; default version: the cached one, else the latest.
        source: language code in the spelling of OPUS.
        target: language code, as `source`.

    Raises:
        UserError: opustools is missing, OPUS cannot be reached, or has no such corpus.
    """
    corpus, version = _parse(name)
    folder = cache_folder("opus") / f"{corpus}-{version or 'latest'}-{source}-{target}"
    if not (folder / "corpus.json").exists():
        corpus_info = _look_up(name, corpus, version, source, target)
        with atomic_directory(folder) as directory:
            _download(corpus_info["url"], directory / "moses.zip", name)
            license_name = _unpack(directory / "moses.zip", directory, (source, target), name)
            metadata = {"url": corpus_info["url"], "version": corpus_info["version"], "license": license_name}
            write_json(directory / "corpus.json", metadata)
    files = [str(folder / f"text.{code}") for code in (source, target)]
    metadata = read_json(folder / "corpus.json")
    return DownloadedCorpus(files, metadata.get("license") or metadata.get("licence"))  # older caches


def _parse(name: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"opus:([A-Za-z0-9_.-]+)(?:/([A-Za-z0-9_.-]+))?", name)
    if not match:
        raise UserError(f"corpus.dataset is {name!r}: write opus:NAME or opus:NAME/VERSION, such as opus:Books/v1")
    return match[1], match[2]


def _look_up(name: str, corpus: str, version: str | None, source: str, target: str) -> JsonObject:
    """OPUS's metadata of a corpus: `url`, `version`, `size` and more."""
    try:
        from opustools import OpusGet
    except ImportError:
        raise UserError(f"{name} needs opustools: {install_command('opus')}, or name files instead") from None
    folder = cache_folder("opus")
    folder.mkdir(parents=True, exist_ok=True)
    getter = OpusGet(source, target, corpus, version or "latest", "moses", download_dir=str(folder))
    getter.url = API + "?" + getter.url.partition("?")[2]
    try:
        corpora, _ = getter.get_corpora_data()
    except (OSError, ValueError, KeyError, HTTPException) as error:
        raise UserError(f"{name}: OPUS cannot be reached ({_reason(error)}): {_INSTEAD}") from None
    if not corpora:
        raise UserError(
            f"OPUS has no {name} in {source!r} and {target!r}: see https://opus.nlpl.eu, or name files instead"
        )
    return dict(corpora[0])


def _download(url: str, path: Path, name: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, path.open("wb") as file:
            size = response.headers.get("Content-Length")
            with progress.task(f"fetch {name}", int(size) if size else None, "bytes") as task:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    task.advance(len(chunk))
        if size and path.stat().st_size != int(size):
            raise OSError("the download is incomplete")
    except (OSError, ValueError, HTTPException) as error:
        if isinstance(error, OSError) and not isinstance(error, urllib.error.URLError) and error.filename:
            raise  # such as a full disk
        raise UserError(f"{name}: cannot download {url} ({_reason(error)}): {_INSTEAD}") from None


def _unpack(path: Path, directory: Path, codes: tuple[str, str], name: str) -> str | None:
    """Extract the two texts of a Moses archive into a directory; returns the first line of its license."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for code in codes:
                members = [member for member in names if re.fullmatch(rf"[^/]*\.{re.escape(code)}", member)]
                if len(members) != 1:
                    raise UserError(
                        f"{name}: the archive needs exactly one text in {code!r} (it has {', '.join(names[:8])})"
                    )
                with archive.open(members[0]) as text, (directory / f"text.{code}").open("wb") as file:
                    shutil.copyfileobj(text, file, _CHUNK)
            license_text = archive.read("LICENSE").decode("utf-8", "replace") if "LICENSE" in names else ""
    except ZIP_ERRORS as error:
        raise UserError(
            f"{name}: the downloaded file is not a complete archive ({_reason(error)}): try again"
        ) from None
    path.unlink()
    return next((" ".join(line.split())[:200] for line in license_text.splitlines() if line.strip()), None)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__
