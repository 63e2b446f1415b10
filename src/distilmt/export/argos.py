"""Marian models as Argos Translate packages (`.argosmodel`), which LibreTranslate also installs.

A package is a zip of one directory: `metadata.json`, `model/` (CTranslate2), `sentencepiece.model`, `README.md`. Argos
tokenizes texts and detokenizes translations with this one SentencePiece model. It adds no `</s>` and does not truncate;
see `argostranslate/package.py`, `tokenizer.py` and `translate.py` of 1.11.
"""

from __future__ import annotations

import copy
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import MarianMTModel

from distilmt.config import ExportConfig, RunConfig
from distilmt.data.tokenizer import Tokenizer
from distilmt.data.tokenizer import load as load_tokenizer
from distilmt.export.base import NotRun, TrainedModel, require_marian, require_packages
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.ctranslate2 import save, specification
from distilmt.utils.errors import UserError
from distilmt.utils.languages import language_name
from distilmt.utils.run_dir import atomic_path, write_json

VERSION = "1.0"
_POSITIONS = 1024  # CTranslate2's maximum
# Argos passes tokens by name, and SentencePiece returns unknown characters as text: `</s>` in the input would end the
# sentence. Tokens contain no space, so that no text is tokenized into this name.
_END = "</s> "
_USE = """
```bash
python -c 'from argostranslate import package; package.install_from_path("student.argosmodel")'
argos-translate --from SOURCE --to TARGET "Text to translate."
```

A LibreTranslate server offers the packages that are installed on its machine. The first translation of a language
downloads a model for sentence splitting (MiniSBD). Argos replaces underscores in translations by spaces.
"""
# Argos has its own codes for these.
_CODES = {"pt_br": "pb", "zh_tw": "zt", "zh_hk": "zt", "zh_hant": "zt", "no": "nb"}


def export_argos(
    model: MarianMTModel, tokenizer: Tokenizer, path: Path, card: ModelCard, compute_type: str = "int8"
) -> None:
    """Write an Argos Translate package atomically.

    Split vocabularies work: Argos joins tokens that are not in the source's SentencePiece model as they are spelled.
    Only byte tokens must be in the source's vocabulary.

    Args:
        model: a Marian model in float32; it is not changed.
        tokenizer: the tokenizer it was trained with.
        path: the package, usually named `.argosmodel`; an older one is replaced.
        card: facts for the model card; Argos offers its languages.
        compute_type: CTranslate2 type of the weights.

    Raises:
        UserError: the type is unknown, or only the target's vocabulary has byte tokens.
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
            f"{tokenizer.directory}: only the target's vocabulary has byte tokens, but Argos detokenizes with the "
            "source's: export to CTranslate2 or ONNX instead, or train a tokenizer with "
            "tokenizer.vocab_sharing: shared"
        )


def _with_positions(model: MarianMTModel) -> MarianMTModel:
    """A copy with position embeddings up to CTranslate2's maximum: Argos does not truncate to the model's positions."""
    model = copy.deepcopy(model)
    for stack in (model.model.encoder, model.model.decoder):
        old: Any = stack.embed_positions
        new = type(old)(max(_POSITIONS, old.num_embeddings), old.embedding_dim)
        with torch.no_grad():
            new.weight.copy_(new.create_weight())
        stack.embed_positions = new
    return model


def _code(language: str) -> str:
    """Argos's code of a language, such as `pb` for `pt_BR`."""
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
    """Zip a directory, including its name, reproducibly: the same files give the same zip."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as package:
        for file in sorted(p for p in directory.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(directory.parent).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            package.writestr(entry, file.read_bytes())


class ArgosExporter:
    """A package for Argos Translate and LibreTranslate, in int8."""

    suffix = ".argosmodel"

    def check(self, config: RunConfig) -> None:
        """As `Exporter.check`: a tokenizer that the run trains has bytes on both sides, a given one may not."""
        require_marian("argos", config)
        require_packages("argos", ("ctranslate2", "sentencepiece"))
        if config.tokenizer.path:
            _check_bytes(load_tokenizer(Path(config.tokenizer.path)))

    def export(self, trained: TrainedModel, path: Path, config: ExportConfig) -> None:
        """As `Exporter.export`."""
        export_argos(trained.network, trained.tokenizer, path, trained.card)

    def translate(self, path: Path, texts: Sequence[str]) -> NotRun:
        """Not here: its packages need other versions than distilmt's."""
        return NotRun("argostranslate needs its own environment")


EXPORTER = ArgosExporter()
