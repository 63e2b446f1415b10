import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers import commands, toy
from helpers.marian import new_network

from distilmt.export.argos import export_argos
from distilmt.export.card import ModelCard
from distilmt.inference.base import DecodingOptions
from distilmt.inference.translator import Translator
from distilmt.models.marian_checkpoint import load_marian
from distilmt.utils.errors import UserError

PACKAGES = ("argostranslate==1.11.0", "minisbd==0.9.5", "stanza==1.10.1", "emoji", "requests", "urllib3", "idna")
PACKAGES += ("certifi", "charset-normalizer", "protobuf", "flatbuffers", "onnxruntime")


def unpacked(path):
    with zipfile.ZipFile(path) as package:
        return {entry.filename: package.read(entry) for entry in package.infolist()}


def test_the_package_is_as_argos_wants_it(tmp_path, trained_model, shared_tokenizer, card):
    model = load_marian(trained_model)
    export_argos(model, shared_tokenizer, tmp_path / "student.argosmodel", card)
    files = unpacked(tmp_path / "student.argosmodel")
    assert {name.split("/")[0] for name in files} == {"translate-en_it-1_0"}
    files = {name.partition("/")[2]: content for name, content in files.items()}
    assert {"metadata.json", "model/model.bin", "model/config.json", "sentencepiece.model", "README.md"} <= set(files)
    metadata = json.loads(files["metadata.json"])
    assert (metadata["from_code"], metadata["from_name"]) == ("en", "English")
    assert (metadata["to_code"], metadata["to_name"], metadata["type"]) == ("it", "Italian", "translate")
    assert json.loads(files["model/config.json"])["add_source_eos"] is True
    assert files["sentencepiece.model"] == (trained_model / "source.spm").read_bytes()
    listed = json.loads(files["card.json"])["files"]
    assert listed["model/model.bin"]["sha256"] == hashlib.sha256(files["model/model.bin"]).hexdigest()
    assert model.model.encoder.embed_positions.num_embeddings == 64, "the model itself is left as it is"
    again = tmp_path / "again.argosmodel"
    export_argos(model, shared_tokenizer, again, card)
    assert again.read_bytes() == (tmp_path / "student.argosmodel").read_bytes()


@pytest.mark.parametrize(
    ("language", "code"), [("pt_BR", "pb"), ("zh_TW", "zt"), ("zh-CN", "zh"), ("de", "de"), ("no", "nb"), ("xx", "xx")]
)
def test_languages_have_argos_codes(tmp_path, shared_tokenizer, language, code):
    model = new_network(toy.MICRO, shared_tokenizer, 0.0, 1).eval()
    export_argos(model, shared_tokenizer, tmp_path / "m.argosmodel", ModelCard("en", language))
    metadata = json.loads(unpacked(tmp_path / "m.argosmodel")[f"translate-en_{code}-1_0/metadata.json"])
    assert metadata["to_code"] == code


def argos_translation(package, texts, beam_size):
    """What Argos does with a package (`apply_packaged_translation`), sentence by sentence, step by step."""
    import ctranslate2
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(package / "sentencepiece.model"))
    tokens = [processor.encode(text, out_type=str) for text in texts]
    result = ctranslate2.Translator(str(package / "model"), intra_threads=1).translate_batch(
        tokens, replace_unknowns=True, beam_size=beam_size, max_batch_size=32, batch_type="tokens", length_penalty=0.2
    )
    output = [processor.decode_pieces(each.hypotheses[0]).replace("▁", " ").replace("_", " ") for each in result]
    return [text.removeprefix(" ") for text in output]


@pytest.mark.parametrize("kind", ["shared", "split"])
def test_one_sentencepiece_model_reads_and_writes(
    tmp_path, shared_tokenizer, split_tokenizer, card, diverse_model, kind
):
    """Also of split vocabularies, whose target pieces it does not have."""
    tokenizer = shared_tokenizer if kind == "shared" else split_tokenizer
    model = diverse_model(tokenizer)
    export_argos(model, tokenizer, tmp_path / "m.argosmodel", card, "float32")
    with zipfile.ZipFile(tmp_path / "m.argosmodel") as package:
        package.extractall(tmp_path)
    from distilmt.export.ctranslate2 import export

    export(model, tokenizer, tmp_path / "ct2", "float32")
    texts = [*toy.pairs(30, seed=9, chinese=kind == "split")[0], "Zürich 12"]
    result = argos_translation(tmp_path / "translate-en_it-1_0", texts, 1)
    reference = [text.replace("_", " ") for text in Translator(tmp_path / "ct2", threads=1).translate(texts, 1)]
    # 255 words of it come from Argos, 63 from us: random weights do not end by themselves.
    assert len(set(reference)) > 10
    same = sum(a.strip().startswith(b.strip()[: max(1, len(b) // 2)]) for a, b in zip(result, reference, strict=True))
    assert same == len(texts)


def test_long_texts_do_not_break_it(tmp_path, trained_model, shared_tokenizer, card):
    """Argos cuts nothing: what is longer than the model's 64 positions must still be translated somehow."""
    export_argos(load_marian(trained_model), shared_tokenizer, tmp_path / "m.argosmodel", card)
    with zipfile.ZipFile(tmp_path / "m.argosmodel") as package:
        package.extractall(tmp_path)
    assert argos_translation(tmp_path / "translate-en_it-1_0", ["ban den fir " * 100], 1)[0]


def test_bytes_only_the_target_knows_are_refused(tmp_path, split_tokenizer, card):
    from dataclasses import replace

    pieces = [piece.replace("<0x", "<0y") for piece in split_tokenizer.source.tokens]
    tokenizer = replace(split_tokenizer, source=replace(split_tokenizer.source, tokens=pieces))
    model = new_network(toy.MICRO, split_tokenizer, 0.0, 1).eval()
    with pytest.raises(UserError, match="export to CTranslate2 or ONNX instead"):
        export_argos(model, tokenizer, tmp_path / "m.argosmodel", card)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="session")
def argos_environment(tmp_path_factory):
    """argostranslate and what it imports, beside what is installed here already."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not there")
    if os.environ.get("DISTILMT_ARGOS"):
        return os.environ["DISTILMT_ARGOS"]  # a directory that was filled before
    target = tmp_path_factory.mktemp("argos-packages")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), *PACKAGES]
    process = subprocess.run(install, capture_output=True, text=True, timeout=900, check=False)
    if process.returncode:
        pytest.skip(f"argostranslate cannot be installed: {process.stderr[-200:]}")
    return target


@pytest.mark.slow
def test_argos_translates_with_it(tmp_path, argos_environment, trained_model, exported_model, shared_tokenizer, card):
    pytest.importorskip("onnx")
    export_argos(load_marian(trained_model), shared_tokenizer, tmp_path / "student.argosmodel", card, "float32")
    texts = toy.pairs(30, seed=99)[0]
    texts = [*texts[:20], " ".join(texts[20:23])]
    path = os.pathsep.join([str(argos_environment), *filter(None, sys.path)])
    homes = {name: str(tmp_path / name) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    process = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "consumers" / "argos.py"), str(tmp_path / "student.argosmodel")],
        input="".join(f"{text}\n" for text in texts),
        env=commands.environment() | homes | {"PYTHONPATH": path, "ARGOS_COMPUTE_TYPE": "default"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    translator = Translator(exported_model, threads=1)
    best = translator.hypotheses(
        [*texts[:20], *toy.pairs(30, seed=99)[0][20:23]], DecodingOptions(beam_size=4, length_penalty=0.2)
    )
    ours = [each[0].text for each in best]
    assert process.stdout.splitlines() == [*ours[:20], " ".join(ours[20:])]
