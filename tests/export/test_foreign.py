"""Teachers that are not made here as export directories: CTranslate2's, Argos', and what transformers generates."""

import io
import json
import shutil
import zipfile

import pytest
import torch
from helpers import toy

from distilmt.export.ctranslate2 import export
from distilmt.export.foreign import export_foreign
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian
from distilmt.teachers.hf_generate import TransformersTeacher
from distilmt.teachers.remote import load_translation_model
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json

TEXTS = toy.pairs(12, seed=5)[0]


def facts(path, **more):
    return {"kind": "ctranslate2", "path": str(path), **more}


def without_ours(exported_model, directory):
    """A directory as CTranslate2's own converters leave it, with the pieces beside it."""
    shutil.copytree(exported_model, directory)
    for name in ("distilmt.json", "README.md"):
        (directory / name).unlink(missing_ok=True)
    return directory


def test_an_export_of_ours_is_copied(exported_model, tmp_path):
    export_foreign(facts(exported_model), tmp_path / "teacher", "float32", "en", "it")
    assert load_translation_model(tmp_path / "teacher").translate(TEXTS) == Translator(exported_model).translate(TEXTS)


def test_a_directory_with_its_pieces_next_to_it(exported_model, tmp_path):
    place = without_ours(exported_model, tmp_path / "given")
    export_foreign(facts(place), tmp_path / "teacher", "float32", "en", "it")
    assert Translator(tmp_path / "teacher").translate(TEXTS) == Translator(exported_model).translate(TEXTS)


def test_another_type_is_computed_in(exported_model, tmp_path):
    export_foreign(facts(exported_model), tmp_path / "teacher", "int8", "en", "it")
    instance = Translator(tmp_path / "teacher")
    assert instance.compute_type.startswith("int8")
    assert len(instance.translate(TEXTS)) == len(TEXTS)


def test_a_directory_without_pieces_is_reported(exported_model, tmp_path):
    place = without_ours(exported_model, tmp_path / "given")
    for file in place.glob("*.spm"):
        file.unlink()
    with pytest.raises(UserError, match=r"no tokenizer in the directory of model\.bin"):
        export_foreign(facts(place), tmp_path / "teacher", "int8", "en", "it")
    assert not (tmp_path / "teacher").exists()


def test_a_package_of_argos_zipped_or_not(trained_model, shared_tokenizer, tmp_path):
    from distilmt.export.argos import export_argos
    from distilmt.export.card import ModelCard

    package = tmp_path / "x.argosmodel"
    export_argos(
        load_marian(trained_model), shared_tokenizer, package, ModelCard("en", "it", "student", "s"), "float32"
    )
    export(load_marian(trained_model), shared_tokenizer, tmp_path / "ours", "float32")
    with zipfile.ZipFile(package) as file:
        file.extractall(tmp_path / "unzipped")
    for number, path in enumerate((package, next((tmp_path / "unzipped").iterdir()))):
        export_foreign(facts(path), tmp_path / f"teacher-{number}", "float32", "en", "it")
        output = Translator(tmp_path / f"teacher-{number}").translate(TEXTS, beam_size=1)
        # Argos' models are given no </s>: the export puts it into the model, and both translations are equal.
        assert output == Translator(tmp_path / "ours").translate(TEXTS, beam_size=1)


def test_a_package_may_not_write_outside(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("../evil", "x")
    (tmp_path / "x.argosmodel").write_bytes(content.getvalue())
    with pytest.raises(UserError, match="names files outside itself"):
        export_foreign(facts(tmp_path / "x.argosmodel"), tmp_path / "teacher", "int8", "en", "it")
    (tmp_path / "y.argosmodel").write_bytes(b"no zip")
    with pytest.raises(UserError, match="is not a complete archive"):
        export_foreign(facts(tmp_path / "y.argosmodel"), tmp_path / "teacher", "int8", "en", "it")
    assert not (tmp_path / "evil").exists() and not (tmp_path / "teacher").exists()


def led(directory):
    """A family that CTranslate2 does not convert."""
    from helpers.pretrained_models import fast_tokenizer, save, spread
    from transformers import LEDConfig, LEDForConditionalGeneration

    tokenizer = fast_tokenizer(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>")
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "d_model": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "attention_window": 16}
    torch.manual_seed(1)
    config = LEDConfig(vocab_size=len(tokenizer), max_encoder_position_embeddings=128, **sizes, **heads)
    return save(directory, spread(LEDForConditionalGeneration(config)), tokenizer)


def test_what_is_not_converted_is_generated(tmp_path, messages):
    model, tokenizer = led(tmp_path / "led")
    about = {"kind": "huggingface", "name": "led", "path": str(tmp_path / "led"), "family": "led"}
    export_foreign(about, tmp_path / "teacher", "int8", "en", "it")
    assert "is slower" in messages[0]
    translator = load_translation_model(tmp_path / "teacher")
    assert isinstance(translator, TransformersTeacher)
    texts = [*TEXTS[:5], "", TEXTS[5]]
    result = translator.hypotheses(texts, DecodingOptions(beam_size=2, num_hypotheses=2))
    assert [len(row) for row in result] == [2, 2, 2, 2, 2, 0, 2]
    assert all(row[0].score >= row[1].score for row in result if row)
    one = model.generate(**tokenizer(TEXTS[0], return_tensors="pt"), num_beams=2, max_new_tokens=63, do_sample=False)
    assert result[0][0].text == tokenizer.decode(one[0], skip_special_tokens=True).strip()
    sample = translator.hypotheses([TEXTS[0]], DecodingOptions(num_hypotheses=4, sampling_temperature=1.5))[0]
    assert len({each.text for each in sample}) > 1
    assert "outside" in json.loads((tmp_path / "teacher" / "distilmt.json").read_text())


def test_t5_reports_its_own_instruction(tmp_path):
    from helpers.pretrained_models import t5

    t5(tmp_path / "t5")
    config = read_json(tmp_path / "t5" / "config.json")
    tasks = {"translation_en_to_it": {"prefix": "translate English to Italian: "}}
    (tmp_path / "t5" / "config.json").write_text(json.dumps(config | {"task_specific_params": tasks}))
    about = {"kind": "huggingface", "name": "t5", "path": str(tmp_path / "t5"), "family": "t5"}
    export_foreign(about, tmp_path / "a", "float32", "en", "it")
    assert read_json(tmp_path / "a" / "distilmt.json")["prefix"] == "translate English to Italian: "
    export_foreign(about | {"prefix": "say: "}, tmp_path / "b", "float32", "en", "it")
    assert read_json(tmp_path / "b" / "distilmt.json")["prefix"] == "say: "
    assert Translator(tmp_path / "b").translate(["ban"]) != Translator(tmp_path / "a").translate(["ban"])
