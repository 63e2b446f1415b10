"""The tries of teachers and exports, each in a small form of its own."""

import json
import shlex
import sys
from dataclasses import asdict

import pytest
import torch
from helpers import toy
from helpers.servers import ScriptedServer

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.export.ctranslate2 import export
from distilmt.export.foreign import export_foreign
from distilmt.export.sentencepiece_files import sentencepiece_files
from distilmt.inference.translator import Translator
from distilmt.models.checkpoint import load_model, save_model, write_tokenizer
from distilmt.models.marian_checkpoint import load_marian
from distilmt.teachers.remote import RemoteTeacher, check_teacher
from distilmt.utils.errors import UserError


@pytest.fixture
def endpoint():
    server = ScriptedServer()
    yield server
    server.http.shutdown()
    server.http.server_close()


def language_model(server):
    facts = {"kind": "openai", "name": "m", "url": server.url + "/v1", "source": "en", "target": "it", "asked": {}}
    return RemoteTeacher(facts | {"endpoint": asdict(EndpointConfig(model="m", max_retries=0))})


def test_t61_models_that_take_no_max_tokens(endpoint):
    def newer(path, body):
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'."
            return 400, {"error": {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}}
        return 200, {"choices": [{"message": {"content": "ciao"}, "finish_reason": "stop"}]}

    endpoint.response = newer
    assert language_model(endpoint).translate(["hello"]) == ["ciao"]
    assert endpoint.requests[-1][1]["max_completion_tokens"] == 512


def test_t63_thoughts_without_their_beginning(endpoint):
    content = "The user wants a translation. First I think of words.\n</think>\n\nL'auto rossa"
    endpoint.response = lambda path, body: (200, {"choices": [{"message": {"content": content}}]})
    assert language_model(endpoint).translate(["The red car"]) == ["L'auto rossa"]


def test_t67_a_program_that_writes_something_at_its_start():
    code = "import sys; print('Loading model ...'); print(sys.stdin.read().upper(), end='')"
    facts = {"kind": "command", "name": "banner", "command": shlex.join([sys.executable, "-c", code])}
    with pytest.raises(UserError, match=r"4 lines for 3 input lines \(at every start 'Loading model"):
        check_teacher(facts)


def test_t76_a_run_s_directories_translate_in_transformers_as_the_exports_do(trained_model, shared_tokenizer, tmp_path):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = load_marian(trained_model)
    save_model(load_model(trained_model), shared_tokenizer, tmp_path / "student")
    export(model, shared_tokenizer, tmp_path / "export", "float32")
    sources = [" ".join(toy.pairs(6, seed=4)[0]), *toy.pairs(12, seed=5)[0]]
    sources = [text for text in sources if len(shared_tokenizer.source.encode([text])[0]) < 64]
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "student")
    assert loaded.generation_config.num_beams == 4 and loaded.generation_config.max_length == 64
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "student")
    with torch.inference_mode():
        output = [loaded.generate(**tokenizer([text], return_tensors="pt")) for text in sources]
    texts = [tokenizer.decode(ids[0], skip_special_tokens=True) for ids in output]
    expected = Translator(tmp_path / "export").translate(sources)
    assert sum(a == b for a, b in zip(texts, expected, strict=True)) >= len(sources) - 1


def test_c2_a_student_of_64_positions_teaches_other_pieces(trained_model, shared_tokenizer, tmp_path):
    save_model(load_model(trained_model), shared_tokenizer, tmp_path / "student")
    assert json.loads((tmp_path / "student" / "tokenizer_config.json").read_text())["model_max_length"] == 64
    (tmp_path / "student" / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "MarianTokenizer", "model_max_length": 512})
    )
    facts = {"kind": "huggingface", "path": str(tmp_path / "student")}
    export_foreign(facts, tmp_path / "export", "float32", "en", "it")
    teacher = Translator(tmp_path / "export")
    assert teacher.max_length == 63
    assert teacher.hypotheses([" ".join(toy.pairs(60, seed=4)[0])])[0][0].text


def test_s2_keys_that_name_code(trained_model, shared_tokenizer, tmp_path):
    from distilmt.teachers import existing

    save_model(load_model(trained_model), shared_tokenizer, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    for key in ("_attn_implementation", "attn_implementation"):
        (tmp_path / "model" / "config.json").write_text(json.dumps(config | {key: "kernels-community/evil"}))
        with pytest.raises(UserError, match=f"config.json sets '{key}' to \"kernels-community/evil\""):
            existing.describe_teacher(TeacherConfig(path=str(tmp_path / "model")))


def laid_down(trained_model, tokenizer, directory, names, **config):
    """An export as other tools lay it down: no distilmt.json, and SentencePiece under other names."""
    export(load_marian(trained_model), tokenizer, directory, "float32")
    (directory / "distilmt.json").unlink()
    spm = (directory / "source.spm").read_bytes()
    for file in directory.glob("*.spm"):
        file.unlink()
    for name in names:
        (directory / name).write_bytes(spm)
    about = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(about | config))
    return {"kind": "ctranslate2", "path": str(directory)}


def test_t69_an_end_that_ctranslate2_adds_is_not_added_twice(trained_model, shared_tokenizer, tmp_path):
    for adds in (True, False):
        names = ["source.spm", "target.spm"]
        facts = laid_down(trained_model, shared_tokenizer, tmp_path / f"opus-{adds}", names, add_source_eos=adds)
        export_foreign(facts, tmp_path / "teacher", "float32", "en", "it")
        about = json.loads((tmp_path / "teacher" / "distilmt.json").read_text())
        assert about["source_end"] is not adds
        sources = toy.pairs(5, seed=3)[0]
        export(load_marian(trained_model), shared_tokenizer, tmp_path / "own", "float32")
        assert Translator(tmp_path / "teacher").translate(sources) == Translator(tmp_path / "own").translate(sources)


@pytest.mark.parametrize(
    "names, expected",
    [
        (["spm.de.model", "spm.en.model"], ("spm.en.model", "spm.de.model")),
        (["src.spm.model", "tgt.spm.model"], ("src.spm.model", "tgt.spm.model")),
        (["source.spm", "target.spm"], ("source.spm", "target.spm")),
        (["joint.spm.model"], ("joint.spm.model", "joint.spm.model")),
        (["joint.spm.model", "src.spm.model", "tgt.spm.model"], ("src.spm.model", "tgt.spm.model")),
        (["sentencepiece.bpe.model"], ("sentencepiece.bpe.model", "sentencepiece.bpe.model")),
        (["sentencepiece.model", "other.model"], ("sentencepiece.model", "sentencepiece.model")),
        (["en-de.source.model", "en-de.target.model"], ("en-de.source.model", "en-de.target.model")),
        (["a.model", "b.model"], None),
        (["spm.en.model", "spm.fr.model"], None),
    ],
)
def test_t71_which_sentencepiece_model_is_whose(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).write_bytes(b"\n\x0e\n\x05<unk>")
    if expected is None:
        with pytest.raises(UserError, match=r"several SentencePiece models.*name them source\.spm and target\.spm"):
            sentencepiece_files(tmp_path, "en", "de")
    else:
        assert tuple(file.name for file in sentencepiece_files(tmp_path, "en", "de")) == expected


def test_t72_argos_packages_with_bpe_are_read(trained_model, shared_tokenizer, tmp_path):
    laid_down(trained_model, shared_tokenizer, tmp_path / "pack" / "model", [])
    (tmp_path / "pack" / "metadata.json").write_text("{}")
    (tmp_path / "pack" / "bpe.model").write_text("#version: 0.2\nt h\nth e</w>\n")
    facts = {"kind": "ctranslate2", "path": str(tmp_path / "pack")}
    export_foreign(facts, tmp_path / "teacher", "int8", "en", "it")
    assert Translator(tmp_path / "teacher").tokenize(["the bath"]) == [["the", "b@@", "a@@", "t@@", "h"]]


@pytest.mark.parametrize("text", ["a </s> b", "</s>", "<unk> a", "<pad> a </s>", "a<pad>"])
def test_t48_control_pieces_in_a_text_are_text(shared_tokenizer, tmp_path, text):
    from transformers import AutoTokenizer

    write_tokenizer(shared_tokenizer, tmp_path, 64)
    ids = AutoTokenizer.from_pretrained(tmp_path)(text).input_ids
    assert ids == shared_tokenizer.source.encode([text])[0]
    assert ids.count(0) == 1 and shared_tokenizer.pad not in ids
