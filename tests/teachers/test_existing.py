"""Teachers that exist already: how they are described, and how they translate."""

from dataclasses import replace

import pytest
from helpers import toy

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.teachers import existing
from distilmt.teachers.remote import load_translation_model, shipped_bytes
from distilmt.utils.errors import UserError
from distilmt.utils.run_dir import read_json, write_json
from distilmt.utils.step_results import ModelResult

PAIR = ("en", "it")


def card(directory, licence):
    (directory / "README.md").write_text(f"---\nlicense: {licence}\n---\n# A model\n", encoding="utf-8")


@pytest.fixture
def t5(tmp_path):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=50, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    return tmp_path / "t5"


def test_a_model_is_pointed_to_with_its_licence_and_size(t5, tmp_path, shared_tokenizer, messages):
    card(t5, "cc-by-nc-4.0")
    facts = existing.import_teacher(
        TeacherConfig(path=str(t5), source_prefix="x: "), PAIR, shared_tokenizer, tmp_path / "run"
    )
    assert facts.license == "cc-by-nc-4.0" and facts.family == "t5" and facts.parameters > 1000
    assert len(messages) == 1 and "cc-by-nc-4.0" in messages[0]
    result = existing.read_pointer(tmp_path / "run")
    assert result["kind"] == "huggingface" and result["prefix"] == "x: " and result["path"] == str(t5)


@pytest.mark.parametrize("content", ["", "---\nlicense: [a, b]\n---\n", "---\n: : broken\n---\n"])
def test_a_card_that_states_no_licence_states_none(t5, tmp_path, content):
    (t5 / "README.md").write_text(content)
    assert "license" not in existing.describe_teacher(TeacherConfig(path=str(t5)))


def test_an_older_pointer_is_understood(tmp_path):
    write_json(tmp_path / "teacher.json", {"path": "models/x", "family": "t5", "parameters": 7})
    result = existing.read_pointer(tmp_path)
    assert (result["kind"], result["name"], result["path"]) == ("huggingface", "models/x", "models/x")
    assert existing.read_pointer(tmp_path / "none") is None


def test_a_command_is_tried_before_anything_depends_on_it(tmp_path, shared_tokenizer):
    facts = existing.import_teacher(TeacherConfig(command="tr a-z A-Z"), PAIR, shared_tokenizer, tmp_path)
    assert facts == ModelResult(name="tr a-z A-Z", family="command")
    with pytest.raises(UserError, match="program 'nonesuch' not found"):
        existing.import_teacher(TeacherConfig(command="nonesuch"), PAIR, shared_tokenizer, tmp_path / "b")
    with pytest.raises(UserError, match=r"writes nothing for 'Hello\."):
        existing.import_teacher(
            TeacherConfig(command="sh -c 'cat > /dev/null'"), PAIR, shared_tokenizer, tmp_path / "c"
        )
    assert not (tmp_path / "b" / "teacher.json").exists()


def test_the_address_of_a_server_may_change_within_a_run(tmp_path, shared_tokenizer, server):
    server.response = lambda path, body: (200, {"choices": [{"message": {"content": "ciao"}}]})
    config = TeacherConfig(url=server.url, endpoint=EndpointConfig(model="m", max_concurrency=2))
    existing.import_teacher(config, PAIR, shared_tokenizer, tmp_path)
    facts = existing.read_pointer(tmp_path)
    assert "max_concurrency" not in read_json(tmp_path / "teacher.json")["request"]
    visited = existing.with_endpoint(facts, replace(config.endpoint, max_concurrency=9, model="other"))
    assert visited["endpoint"]["max_concurrency"] == 9 and visited["endpoint"]["model"] == "m"


@pytest.mark.parametrize("path", ["/no/such/model", "./none"])
def test_a_directory_that_is_not_there_is_reported(path):
    with pytest.raises(UserError, match="does not exist: check"):
        existing.describe_teacher(TeacherConfig(path=path))


def test_ctranslate2_directories_are_recognized(exported_model, tmp_path):
    assert existing.is_ctranslate2(str(exported_model)) and not existing.is_ctranslate2(str(tmp_path))
    assert existing.describe_teacher(TeacherConfig(path=str(exported_model)))["kind"] == "ctranslate2"


def test_an_export_of_a_command_responses_and_has_no_size(tmp_path):
    from distilmt.export.foreign import export_foreign

    facts = existing.describe_teacher(TeacherConfig(command="tr a-z A-Z")) | {
        "cache_file": str(tmp_path / "responses.sqlite")
    }
    export_foreign(facts, tmp_path / "export", "int8", "en", "it")
    translator = load_translation_model(tmp_path / "export")
    texts = toy.pairs(5)[0]
    assert translator.translate(texts) == [text.upper() for text in texts]
    assert shipped_bytes(tmp_path / "export") is None and (tmp_path / "responses.sqlite").exists()
    assert load_translation_model(tmp_path / "export", use_cache=False).cache is None
