"""Tokenizers of other models."""

import sys

from distilmt.export.huggingface_teacher import export_huggingface_teacher
from distilmt.inference.tokenization import load_auto_tokenizer


def test_a_marian_tokenizer_is_loaded_without_its_advice(trained_model, tmp_path, monkeypatch, recwarn):
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    assert load_auto_tokenizer(trained_model)("ban der.").input_ids
    export_huggingface_teacher(str(trained_model), tmp_path / "export", "int8", "en", "it")
    assert not [warning for warning in recwarn if "sacremoses" in str(warning.message)]
