"""The tries of teachers and exports, each in a small form of its own."""

import json
import shlex
import sys
from dataclasses import asdict

import pytest
import torch
import toy
from teachers.conftest import Server

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.errors import UserError
from distilmt.export.ctranslate2 import export
from distilmt.export.foreign import export_foreign
from distilmt.export.transformers import save_marian
from distilmt.teachers.local import load_marian
from distilmt.teachers.outside import Outside, probe
from distilmt.translator import Translator


@pytest.fixture
def endpoint():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def language_model(server):
    facts = {"kind": "openai", "name": "m", "url": server.url + "/v1", "source": "en", "target": "it", "asked": {}}
    return Outside(facts | {"endpoint": asdict(EndpointConfig(model="m", retries=0))})


def test_t61_models_that_take_no_max_tokens(endpoint):
    def newer(path, body):
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'."
            return 400, {"error": {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}}
        return 200, {"choices": [{"message": {"content": "ciao"}, "finish_reason": "stop"}]}

    endpoint.answer = newer
    assert language_model(endpoint).translate(["hello"]) == ["ciao"]
    assert endpoint.asked[-1][1]["max_completion_tokens"] == 512


def test_t63_thoughts_without_their_beginning(endpoint):
    content = "The user wants a translation. First I think of words.\n</think>\n\nL'auto rossa"
    endpoint.answer = lambda path, body: (200, {"choices": [{"message": {"content": content}}]})
    assert language_model(endpoint).translate(["The red car"]) == ["L'auto rossa"]


def test_t67_a_program_that_says_something_at_its_start():
    code = "import sys; print('Loading model ...'); print(sys.stdin.read().upper(), end='')"
    facts = {"kind": "command", "name": "banner", "command": shlex.join([sys.executable, "-c", code])}
    with pytest.raises(UserError, match=r"4 lines for 3 that it reads \(at every start 'Loading model"):
        probe(facts)


def test_t76_a_run_s_directories_say_in_transformers_what_the_exports_say(learnt, shared_tokenizer, tmp_path):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = load_marian(learnt)
    save_marian(model, shared_tokenizer, tmp_path / "student")
    export(model, shared_tokenizer, tmp_path / "export", "float32")
    sources = [" ".join(toy.pairs(6, seed=4)[0]), *toy.pairs(12, seed=5)[0]]
    sources = [text for text in sources if len(shared_tokenizer.source.encode([text])[0]) < 64]
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "student")
    assert loaded.generation_config.num_beams == 4 and loaded.generation_config.max_length == 64
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "student")
    with torch.inference_mode():
        said = [loaded.generate(**tokenizer([text], return_tensors="pt")) for text in sources]
    texts = [tokenizer.decode(ids[0], skip_special_tokens=True) for ids in said]
    expected = Translator(tmp_path / "export").translate(sources)
    assert sum(a == b for a, b in zip(texts, expected, strict=True)) >= len(sources) - 1


def test_c2_a_student_of_64_positions_teaches_other_pieces(learnt, shared_tokenizer, tmp_path):
    save_marian(load_marian(learnt), shared_tokenizer, tmp_path / "student")
    assert json.loads((tmp_path / "student" / "tokenizer_config.json").read_text())["model_max_length"] == 64
    (tmp_path / "student" / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "MarianTokenizer", "model_max_length": 512})
    )
    facts = {"kind": "huggingface", "path": str(tmp_path / "student")}
    export_foreign(facts, tmp_path / "export", "float32", "en", "it")
    teacher = Translator(tmp_path / "export")
    assert teacher.max_length == 63
    assert teacher.hypotheses([" ".join(toy.pairs(60, seed=4)[0])])[0][0].text


def test_s2_keys_that_name_code(learnt, shared_tokenizer, tmp_path):
    from distilmt.teachers import external

    save_marian(load_marian(learnt), shared_tokenizer, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    for key in ("_attn_implementation", "attn_implementation"):
        (tmp_path / "model" / "config.json").write_text(json.dumps(config | {key: "kernels-community/evil"}))
        with pytest.raises(UserError, match=f"config.json sets '{key}' to \"kernels-community/evil\""):
            external.about(TeacherConfig(path=str(tmp_path / "model")))
