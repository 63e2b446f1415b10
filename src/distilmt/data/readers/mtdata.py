"""Corpora of mtdata's index (WMT, ParaCrawl, ELRC and many more), downloaded by mtdata's own command.

The command runs as a subprocess instead of an import: mtdata draws on the terminal and may need other versions of
libraries than this environment has, so it can be installed separately (`pipx install mtdata`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from distilmt.data.pairs import match_language
from distilmt.data.readers.download import DownloadedCorpus, cache_folder
from distilmt.utils import progress
from distilmt.utils.errors import UserError
from distilmt.utils.extras import install_command
from distilmt.utils.run_dir import atomic_directory


def fetch(name: str, source: str, target: str) -> DownloadedCorpus:
    """The files of a corpus, downloaded unless cached. mtdata does not give licenses.

    Args:
        name: `mtdata:ID`, with an ID from `mtdata list --id`.
        source: language code, of two or three letters.
        target: language code, as `source`.

    Raises:
        UserError: mtdata is missing, has no such corpus, or cannot download it.
    """
    did = name.removeprefix("mtdata:")
    if not re.fullmatch(r"[\w.]+(-[\w.]+){4}", did):
        raise UserError(f"corpus.dataset is {name!r}: write mtdata:ID, an ID such as Statmt-news_commentary-16-deu-eng")
    folder = cache_folder("mtdata") / f"{did}-{source}-{target}"
    paths = [str(folder / f"text.{code}") for code in (source, target)]
    if not folder.is_dir():
        with atomic_directory(folder) as directory:
            _run(name, ["get", "-l", f"{source}-{target}", "-tr", did, "-o", "got", "-j", "1"], directory)
            for text, path in zip(_texts(directory / "got", did, name), paths, strict=True):
                text.rename(directory / Path(path).name)
            shutil.rmtree(directory / "got")
    return DownloadedCorpus(paths, None)


def _run(name: str, arguments: list[str], directory: Path) -> None:
    """Run mtdata in its own directory: it would import modules from the current directory."""
    search_path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    command = shutil.which("mtdata", path=os.pathsep.join(search_path))
    if command is None:
        raise UserError(f"{name} needs mtdata: {install_command('mtdata')} or pipx install mtdata, or name files")
    with progress.task(f"fetch {name}", None, "files"):
        done = subprocess.run(
            [command, "--no-pbar", *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    if done.returncode:
        lines = [" ".join(line.split()) for line in done.stdout.splitlines() if line.strip()] or ["no error message"]
        raise UserError(
            f"{name}: mtdata cannot fetch it ({lines[-1][:200]}): check the ID with mtdata list --id and the network,"
            " or name files instead"
        )


def _texts(got: Path, did: str, name: str) -> list[Path]:
    """The source and the target text; mtdata normalizes the language codes in the file names."""
    parts = {path.name.removeprefix(f"{did}."): path for path in (got / "train-parts").glob(f"{did}.*")}
    languages = re.search(r"-l ([^\s-]+)-([^\s-]+)", (got / "mtdata.signature.txt").read_text())
    matches = [match_language(code, parts) for code in languages.groups()] if languages else []
    texts = [path for path in matches if path is not None]
    if len(texts) != 2:
        raise UserError(f"{name}: is in other languages ({', '.join(sorted(parts))}): name another corpus")
    return texts
