"""Any Hugging Face seq2seq teacher that CTranslate2 converts, exported with its own tokenizer beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ctranslate2.converters import TransformersConverter
from transformers import AutoTokenizer

from distilmt.errors import UserError
from distilmt.rundir import atomic_directory, write_json


class _SafetensorsConverter(TransformersConverter):
    """CTranslate2's converter, held to safetensors: pickles from outside are never opened."""

    def load_model(self, model_class: Any, model_name_or_path: str, **settings: Any) -> Any:
        return super().load_model(model_class, model_name_or_path, use_safetensors=True, **settings)


def export_huggingface(path: str, directory: Path, compute_type: str, source: str, target: str) -> None:
    """Write a directory a `Translator` opens, from a model directory or hub name, whole or not at all.

    Args:
        path: the teacher.
        directory: what is written.
        compute_type: CTranslate2 type of the weights.
        source: source language code, for multilingual tokenizers.
        target: target language code, likewise.

    Raises:
        UserError: the model cannot be loaded or converted, or does not know a language.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        converter = _SafetensorsConverter(path)
        facts = {"format": 1, "compute_type": compute_type, "max_positions": _positions(tokenizer)}
        facts |= {"tokenizer": "huggingface"} | _languages(tokenizer, source, target, path)
        with atomic_directory(directory) as temporary:
            converter.convert(
                str(temporary), quantization=None if compute_type == "float32" else compute_type, force=True
            )
            tokenizer.save_pretrained(temporary / "tokenizer")
            write_json(temporary / "distilmt.json", facts)
    except (OSError, ValueError, KeyError, NotImplementedError, torch.cuda.OutOfMemoryError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"teacher {path!r} cannot be converted for CTranslate2: {reason}") from None


def _positions(tokenizer: Any) -> int:
    return int(min(tokenizer.model_max_length, 512))


def _languages(tokenizer: Any, source: str, target: str, path: str) -> dict[str, str]:
    """Codes a multilingual tokenizer (M2M-100, NLLB, mBART-50) wants; nothing for the others."""
    if not hasattr(tokenizer, "src_lang") or not hasattr(tokenizer, "tgt_lang"):
        return {}
    codes = list(getattr(tokenizer, "lang_code_to_id", None) or tokenizer.additional_special_tokens)
    target_code = _code(target, codes, path)
    tokens: dict[str, str] = getattr(tokenizer, "lang_code_to_token", None) or {}
    return {
        "source_language": _code(source, codes, path),
        "target_prefix": tokens.get(target_code, target_code),
    }


def _code(language: str, codes: Sequence[str], path: str) -> str:
    """The teacher's code of a language (`it` is `it_IT` to mBART-50 and `ita_Latn` to NLLB)."""
    base = language.split("_")[0]
    for code in codes:
        if code in (language, f"__{language}__") or code.strip("_").split("_")[0][: len(base)] == base:
            return code.strip("_")
    raise UserError(f"teacher {path!r} has no code for language {language!r}: name one of {', '.join(codes[:40])}")
