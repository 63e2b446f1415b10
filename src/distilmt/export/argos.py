"""Marian models as Argos Translate packages (`.argosmodel`), which LibreTranslate installs too.

A package is a zip of one directory: `metadata.json`, `model/` (CTranslate2), `sentencepiece.model`, `README.md`. Argos
cuts texts with that one SentencePiece model and joins translations with it, adds no `</s>` and cuts nothing off; see
`argostranslate/package.py`, `tokenizer.py` and `translate.py` of 1.11.
"""

from __future__ import annotations

import copy
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from transformers import MarianMTModel

from distilmt.data.tokenizer import Tokenizer
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.ctranslate2 import save, specification
from distilmt.utils.errors import UserError
from distilmt.utils.languages import language_name
from distilmt.utils.run_dir import atomic_path, write_json

VERSION = "1.0"
_POSITIONS = 1024  # as many as CTranslate2 reads at most
# Argos hands pieces over by name, and of characters without a piece SentencePiece gives the text itself: a `</s>` that
# somebody typed would be the end. It writes no space, so that no text is cut into this.
_END = "</s> "
_USE = """
```bash
python -c 'from argostranslate import package; package.install_from_path("student.argosmodel")'
argos-translate --from SOURCE --to TARGET "Text to translate."
```

LibreTranslate offers what is installed like this where it runs. The first translation of a language loads a model that
finds sentences (MiniSBD). Argos writes a space for every underscore of a translation.
"""
# Argos has codes of its own for these.
_CODES = {"pt_br": "pb", "zh_tw": "zt", "zh_hk": "zt", "zh_hant": "zt", "no": "nb"}


def export_argos(
    model: MarianMTModel, tokenizer: Tokenizer, path: Path, card: ModelCard, compute_type: str = "int8"
) -> None:
    """Write an Argos Translate package, whole or not at all.

    Split vocabularies work: pieces that are not in the source's SentencePiece model Argos joins as they are written.
    Only bytes need the source's to know them.

    Args:
        model: a Marian model in float32; it is left as it is.
        tokenizer: the tokenizer it was trained with.
        path: the package, by custom named `.argosmodel`; an older one is replaced.
        card: what is said about it; languages are those that Argos will offer.
        compute_type: CTranslate2 type of the weights.

    Raises:
        UserError: the type is unknown, or only the target's pieces spell characters in bytes.
    """
    _check_bytes(tokenizer)
    source, target = _code(card.source), _code(card.target)
    name = f"translate-{source}_{target}-{VERSION.replace('.', '_')}"
    spec = specification(_with_positions(model), tokenizer, _END)
    spec.config.add_source_eos = True
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / name
        (directory / "model").mkdir(parents=True)
        save(spec, directory / "model", compute_type)
        (directory / "sentencepiece.model").write_bytes((tokenizer.directory / "source.spm").read_bytes())
        write_json(directory / "metadata.json", _metadata(source, target))
        use = _USE.replace("SOURCE", source).replace("TARGET", target)
        write_card(directory, card, Form(f"Argos Translate, {compute_type}", "argostranslate", use))
        _pack(directory, path)


def _check_bytes(tokenizer: Tokenizer) -> None:
    if "<0x41>" in tokenizer.target.tokens and "<0x41>" not in tokenizer.source.tokens:
        raise UserError(
            f"{tokenizer.directory}: only the target's pieces spell characters in bytes, and Argos joins translations "
            "with the source's: export to CTranslate2 or ONNX instead, or train a tokenizer with "
            "tokenizer.vocab_sharing: shared"
        )


def _with_positions(model: MarianMTModel) -> MarianMTModel:
    """A copy whose sinusoids reach as far as CTranslate2 may ask: Argos cuts no text to the model's positions."""
    model = copy.deepcopy(model)
    for stack in (model.model.encoder, model.model.decoder):
        old: Any = stack.embed_positions
        new = type(old)(max(_POSITIONS, old.num_embeddings), old.embedding_dim)
        with torch.no_grad():
            new.weight.copy_(new.create_weight())
        stack.embed_positions = new
    return model


def _code(language: str) -> str:
    """Argos's code of a language: `pb` for `pt_BR`."""
    plain = language.lower().replace("-", "_")
    return _CODES.get(plain, plain.split("_")[0])


def _metadata(source: str, target: str) -> dict[str, Any]:
    return {
        "package_version": VERSION,
        "argos_version": "1.0",
        "from_code": source,
        "from_name": language_name(source),
        "to_code": target,
        "to_name": language_name(target),
        "type": "translate",
        "links": [],
    }


def _pack(directory: Path, path: Path) -> None:
    """Zip a directory, with its name, so that the same files make the same zip."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as package:
        for file in sorted(p for p in directory.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(directory.parent).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            package.writestr(entry, file.read_bytes())
