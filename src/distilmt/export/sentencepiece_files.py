"""Find the SentencePiece models of source and target in the directory of a CTranslate2 model.

Every toolkit names them differently. A wrong guess would silently tokenize one language with the other's model.
"""

from __future__ import annotations

import re
from pathlib import Path

from distilmt.utils.errors import UserError

_SOURCE, _TARGET = {"src", "source"}, {"tgt", "trg", "target"}
_JOINT = {"joint", "shared", "common", "joined"}
_SINGLE = (
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "spiece.model",
    "sentencepiece.spm",
    "spm.spm",
)
_EXPECTED_NAMES = (
    "source.spm and target.spm, src.spm.model and tgt.spm.model, joint.spm.model, or one sentencepiece.model"
)


def sentencepiece_files(directory: Path, source: str, target: str) -> tuple[Path, Path] | None:
    """The models of source and target, which may be the same; None if there is none.

    Args:
        directory: the directory of the models.
        source: source language code.
        target: target language code.

    Raises:
        UserError: there are several, and their names are ambiguous.
    """
    files = sorted([*directory.glob("*.spm"), *directory.glob("*.model")])
    files = [file for file in files if not _is_subword_nmt(file)]
    if len(files) < 2:
        return (files[0], files[0]) if files else None
    sources = _named(files, _SOURCE, source, target)
    targets = _named(files, _TARGET, target, source)
    joint = [file for file in files if _words(file) & _JOINT]
    if len(joint) == 1 and any(directory.glob("shared_vocabulary.*")):
        return joint[0], joint[0]
    if len(sources) == 1 and len(targets) == 1:
        return sources[0], targets[0]
    single = joint or [file for file in files if file.name in _SINGLE]
    if len(single) == 1:
        return single[0], single[0]
    raise UserError(
        f"{directory} has several SentencePiece models ({', '.join(file.name for file in files)}), and it is not clear "
        f"which is for {source} and which for {target}: name them {_EXPECTED_NAMES}"
    )


def subword_nmt_file(directory: Path) -> Path | None:
    """The BPE merges of subword-nmt in a directory (`bpe.model` of Argos Translate); None if there are none.

    Raises:
        UserError: there are several.
    """
    files = [file for file in sorted(directory.glob("*.model")) if _is_subword_nmt(file)]
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise UserError(f"{directory} has several files of merges ({names}): keep the one the model was trained with")
    return files[0] if files else None


def _named(files: list[Path], words: set[str], language: str, other: str) -> list[Path]:
    """The files with a name of the side, else those with the code of its language."""
    by_side = [file for file in files if _words(file) & words]
    own, foreign = _codes(language), _codes(other)
    return by_side or [file for file in files if _words(file) & own and not _words(file) & (foreign - own)]


def _words(file: Path) -> set[str]:
    return set(re.split(r"[._-]+", file.name.lower())[:-1])


def _codes(language: str) -> set[str]:
    plain = language.lower().replace("-", "_")
    return {plain, plain.split("_")[0]}


def _is_subword_nmt(file: Path) -> bool:
    """Whether a file is text (`#version: 0.2` and pairs of tokens) and not SentencePiece's binary format."""
    with file.open("rb") as opened:
        head = opened.read(200)
    return head.startswith(b"#version") or (file.name.startswith("bpe") and head.isascii() and b"\0" not in head[:100])
