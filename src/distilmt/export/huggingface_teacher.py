"""Export of Hugging Face seq2seq teachers that CTranslate2 converts, together with their own tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from ctranslate2.converters import TransformersConverter
from safetensors import SafetensorError
from transformers import AutoConfig

from distilmt.inference.manifest import ExportManifest, write_manifest
from distilmt.inference.tokenization import load_auto_tokenizer, without_advice
from distilmt.utils.errors import UserError
from distilmt.utils.languages import base_language, script_of
from distilmt.utils.run_dir import atomic_directory
from distilmt.utils.untrusted import check_configuration

# Exceptions of transformers and the converter for models that are unreadable or not supported.
_UNCONVERTIBLE = (
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)


# Families for which the converter does not pad the vocabulary itself.
_UNFILLED = ("bart", "mbart", "pegasus")


class _SafetensorsConverter(TransformersConverter):
    """CTranslate2's converter, restricted to safetensors: untrusted pickles are never opened."""

    def load_model(self, model_class: Any, model_name_or_path: str, **settings: Any) -> Any:
        self._model = super().load_model(model_class, model_name_or_path, use_safetensors=True, **settings)
        return self._model

    def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **settings: Any) -> Any:
        with without_advice():
            tokenizer = super().load_tokenizer(tokenizer_class, model_name_or_path, **settings)
        # The converter distinguishes mBART-50 and mBART-25 only by this name; their decoder start tokens differ.
        self._model.config.tokenizer_class = type(tokenizer).__name__
        config = self._model.config
        return _WithLanguages(tokenizer, config.vocab_size if config.model_type in _UNFILLED else 0)


class _WithLanguages:
    """A tokenizer with its language tokens where the converter expects them (transformers 5 has moved them).

    Its vocabulary is padded to the rows of the embedding, which some models pad to a multiple of 8 or more.
    """

    def __init__(self, tokenizer: Any, rows: int) -> None:
        self._tokenizer, self._rows = tokenizer, rows

    def get_vocab(self) -> dict[str, int]:
        """Tokens and their ids."""
        ids: dict[str, int] = self._tokenizer.get_vocab()
        return ids | {f"madeupword{row:04d}": row for row in range(max(ids.values()) + 1, self._rows)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    @property
    def bos_token(self) -> str | None:
        """The converter needs it; mBART-50's tokenizer has none since transformers 5."""
        return self._tokenizer.bos_token or self._tokenizer.cls_token

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        ids: dict[str, int] = getattr(self._tokenizer, "lang_token_to_id", {})
        language_tokens = {"additional_special_tokens": sorted(ids, key=lambda token: ids[token])} if ids else {}
        return self._tokenizer.special_tokens_map | language_tokens


class UnsupportedConversion(UserError):
    """CTranslate2 does not support this model family: transformers' own `generate` must be used."""


def export_huggingface_teacher(
    path: str, directory: Path, compute_type: str, source: str, target: str, prefix: str | None = None
) -> None:
    """Write a directory for `Translator`, from a model directory or hub name, atomically.

    Args:
        path: the teacher.
        directory: the export directory.
        compute_type: CTranslate2 type of the weights.
        source: source language code, for multilingual models.
        target: target language code, for multilingual models.
        prefix: text before every source; None: the prefix in the model's tokenizer or configuration, if any.

    Raises:
        UnsupportedConversion: CTranslate2 does not support the model's family.
        UserError: the model cannot be loaded or converted, or does not support a language.
    """
    check_configuration(path)
    try:
        tokenizer = load_auto_tokenizer(path)
        converter = _SafetensorsConverter(path)
        manifest: ExportManifest = {
            "format": 1,
            "compute_type": compute_type,
            "max_positions": positions(tokenizer, _config(path)),
            "tokenizer": "huggingface",
        }
        manifest = {**manifest, **languages(tokenizer, source, target, path)}
        if source_prefix := prefix_of(path, tokenizer, source, target, prefix):
            manifest["prefix"] = source_prefix
        quantization = None if compute_type == "float32" else compute_type
        with atomic_directory(directory) as temporary:
            converter.convert(str(temporary), quantization=quantization, force=True)
            tokenizer.save_pretrained(temporary / "tokenizer")
            write_manifest(temporary, manifest)
    except _UNCONVERTIBLE as error:
        reason = str(error).strip().split("\n")[0]
        if reason.startswith("No conversion is registered"):
            raise UnsupportedConversion(f"CTranslate2 does not convert {path!r}") from None
        raise UserError(f"teacher {path!r} cannot be converted for CTranslate2: {reason}") from None


def positions(tokenizer: Any, config: Any = None) -> int:
    """Maximum input length of a teacher in tokens: the limit of its tokenizer, its positions, and 512."""
    own = getattr(config, "max_position_embeddings", None)
    return int(min(tokenizer.model_max_length, own if isinstance(own, int) and own > 0 else 512, 512))


def _config(path: str) -> Any:
    return AutoConfig.from_pretrained(path, trust_remote_code=False)


class TokenizerLanguages(TypedDict, total=False):
    """Languages in the codes of a multilingual tokenizer; empty for other tokenizers."""

    source_language: str
    target_prefix: str
    """The token of the target language."""


def languages(tokenizer: Any, source: str, target: str, path: str) -> TokenizerLanguages:
    """Language codes for a multilingual tokenizer (M2M-100, NLLB, mBART-50); empty for other tokenizers."""
    if not hasattr(tokenizer, "src_lang") or not hasattr(tokenizer, "tgt_lang"):
        return {}
    names = ("lang_code_to_id", "additional_special_tokens", "extra_special_tokens")
    codes = next((list(candidates) for name in names if (candidates := getattr(tokenizer, name, None))), [])
    target_code = _code(target, codes, path)
    tokens: dict[str, str] = getattr(tokenizer, "lang_code_to_token", None) or {}
    return {
        "source_language": _code(source, codes, path),
        "target_prefix": tokens.get(target_code, target_code),
    }


def prefix_of(path: str, tokenizer: Any, source: str, target: str, prefix: str | None) -> str:
    """Text before every source: the configured prefix, a MADLAD token (`<2de>`), or T5's own instruction."""
    if prefix is not None:
        return prefix
    base = base_language(target)
    if f"<2{base}>" in tokenizer.get_vocab():
        return f"<2{base}> "
    tasks = getattr(_config(path), "task_specific_params", None) or {}
    return str((tasks.get(f"translation_{source}_to_{target}") or {}).get("prefix", ""))


def _code(language: str, codes: Sequence[str], path: str) -> str:
    """The teacher's code of a language (`it` is `it_IT` in mBART-50 and `ita_Latn` in NLLB)."""
    plain = [code.strip("_") for code in codes]
    base = base_language(language)
    own = [code for code in plain if base_language(code) in (base, "nb" if base == "no" else base)]
    same_script = [code for code in own if script_of(code) == script_of(language)]
    matches = [code for code in plain if code == language] or same_script or own
    if not matches:
        raise UserError(f"teacher {path!r} has no code for language {language!r}: use one of {', '.join(plain[:40])}")
    return matches[0]
