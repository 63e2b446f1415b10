"""`hf:OWNER/NAME`: from the cache without network, and over HTTP from a hub on this machine."""

from __future__ import annotations

import io
import json
import re
import sys
from contextlib import redirect_stdout

import pytest
from helpers import commands, toy
from helpers.hub import add_to_cache, files_of, hub_server
from helpers.pictures import RENDERING, new_picture_model, strokes
from PIL import Image

from distilmt import Translator
from distilmt.export.card import Form, ModelCard, write_card
from distilmt.export.ctranslate2_pictures import USE, export_pictures
from distilmt.export.publish import Publication, published_card
from distilmt.inference.hub import hub_name, model_directory
from distilmt.inference.image_translator import ImageTranslator
from distilmt.serving.catalog import served_models
from distilmt.utils.errors import UserError

NAME = "team/en-it-tiny"
TEXT = toy.pairs(1, seed=5)[0][0]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of huggingface_hub, for this process and for the commands that it starts."""
    from huggingface_hub import constants

    path = tmp_path / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(path))
    return path


@pytest.fixture
def expected(exported_model):
    return Translator(exported_model).translate(TEXT)


def test_other_names_are_paths(tmp_path):
    assert hub_name("runs/demo") is None and model_directory(tmp_path) == tmp_path
    assert hub_name(f"hf:{NAME}@v1") == f"{NAME}@v1"


def test_a_cached_model_translates_without_network(cache, exported_model, expected):
    snapshot = add_to_cache(cache, NAME, files_of(exported_model))
    translator = Translator(f"hf:{NAME}")
    assert translator.translate(TEXT) == expected and translator.directory == snapshot


def test_a_revision_is_its_own_snapshot(cache, exported_model):
    files = files_of(exported_model)
    add_to_cache(cache, NAME, files)
    tagged = add_to_cache(cache, NAME, files | {"NOTES": b"an older state"}, "v1")
    assert model_directory(f"hf:{NAME}@v1") == tagged != model_directory(f"hf:{NAME}")
    assert model_directory(f"hf:{NAME}@{tagged.name}") == tagged


def test_the_commands_take_the_name(cache, exported_model, expected):
    card = json.dumps({"source": "en", "target": "it", "scores": {}, "files": {}})
    add_to_cache(cache, NAME, files_of(exported_model) | {"card.json": card.encode()})
    process = commands.fresh_distilmt("translate", f"hf:{NAME}", "--text", TEXT, "--threads", "1")
    assert process.stdout.decode().rstrip("\n") == expected, process.stderr
    (pair,) = served_models([f"hf:{NAME}"], "student-int8").text.values()
    assert pair.main.name == NAME and (pair.main.source, pair.main.target) == ("en", "it")
    ((languages, _),) = served_models([f"en-de=hf:{NAME}"], "student-int8").text.items()
    assert languages == ("en", "de")
    add_to_cache(cache, NAME, files_of(exported_model))
    with pytest.raises(UserError, match=f"the languages of hf:{NAME} are unknown: write it like en-it=hf:{NAME}$"):
        served_models([f"hf:{NAME}"], "student-int8")


def test_wrong_names_are_one_line(cache, tmp_path):
    for name, reason in {
        "hf:": "names no model",
        f"hf:{NAME}@": "names no model",
        "hf:a/b/c": "not a name of the hub",
        f"hf:{NAME}": "not in the cache, and the hub cannot be reached",
    }.items():
        with pytest.raises(UserError, match=reason) as error:
            model_directory(name)
        assert str(error.value).startswith(name) and "\n" not in str(error.value)
    assert "not in the cache" in commands.error_line(commands.distilmt("translate", f"hf:{NAME}", "--text", TEXT))


def test_a_student_of_pictures(cache, shared_tokenizer, tmp_path, monkeypatch):
    """The code of its card runs, with its name on the hub; the hub lists it among the readers of pictures."""
    export = tmp_path / "export"
    export_pictures(new_picture_model(shared_tokenizer), shared_tokenizer, export, "float32", RENDERING)
    form = Form("CTranslate2, float32, reads pictures", "ctranslate2", USE)
    write_card(export, ModelCard("en", "it", scores={"test bleu": 31.25}), form)
    card = published_card(export, NAME, Publication())
    assert "pipeline_tag: image-to-text" in card and "model-index" in card and f"distilmt translate hf:{NAME}" in card
    add_to_cache(cache, NAME, files_of(export) | {"README.md": card.encode()})
    monkeypatch.chdir(tmp_path)
    Image.fromarray(strokes(90).T).save("line.png")
    whole, line = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert f'Translator("hf:{NAME}")' in whole
    with redirect_stdout(io.StringIO()) as printed:
        exec(line, {})
    assert printed.getvalue().strip() == ImageTranslator(export).translate_lines([strokes(90)])[0] != ""
    with pytest.raises(UserError, match="reads pictures, not text: use translate_file"):
        Translator(f"hf:{NAME}").translate(TEXT)


def test_other_models_of_the_hub_are_one_line(cache, trained_model, exported_model):
    add_to_cache(cache, NAME, files_of(trained_model))
    with pytest.raises(UserError, match=rf"hf:{NAME} is not a model that distilmt exported"):
        model_directory(f"hf:{NAME}")
    files = files_of(exported_model)
    add_to_cache(cache, "evil/code", files | {"tokenizer/tokenizer_config.json": b'{"auto_map": {"x": "evil.py"}}'})
    with pytest.raises(UserError, match="code of a model is never run"):
        model_directory("hf:evil/code")
    add_to_cache(cache, "evil/bytes", files | {"source.spm": b"\x0a\x03junk"})
    with pytest.raises(UserError, match=r"source.spm cannot be read"):
        model_directory("hf:evil/bytes")


def test_without_huggingface_hub_the_line_names_the_extra(exported_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"needs huggingface_hub, which is not installed: pip install '\.\[hub\]'"):
        model_directory(f"hf:{NAME}")


_DOWNLOAD = """
import json
import distilmt
from distilmt.inference.hub import model_directory

def line(name):
    try:
        model_directory(name)
    except distilmt.UserError as error:
        return str(error)

translator = distilmt.Translator("hf:{name}")
names = sorted(str(path.relative_to(translator.directory)) for path in translator.directory.rglob("*"))
others = [line(name) for name in ("hf:team/none", "hf:{name}@v9", "hf:team/gated")]
print(json.dumps([translator.translate({text!r}), names, others]))
"""


def test_a_download_takes_the_files_of_the_export_alone(cache, exported_model, expected):
    """Over HTTP: no code, no pickle; and each refusal of the hub is one line with its remedy."""
    files = files_of(exported_model)
    with hub_server() as hub:
        others = {"modeling.py": b"1 / 0", "pytorch_model.bin": b"pickle", "model.safetensors": b"-", "x/a.py": b""}
        hub.models = {NAME: files | others, "team/gated": files}
        hub.gated = {"team/gated"}
        environment = commands.environment() | {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        process = commands.python(_DOWNLOAD.format(name=NAME, text=TEXT), environment)
    assert process.returncode == 0, process.stderr.decode()[-3000:]
    translation, names, refusals = json.loads(process.stdout)
    assert translation == expected and names == sorted(files)
    fetched = {path.rpartition("/")[2] for method, path in hub.requests if "/resolve/" in path}
    assert not fetched & {"modeling.py", "pytorch_model.bin", "model.safetensors", "a.py"}
    reasons = ("has no model of this name, or it is private", "not this revision", "gives access on request")
    assert all(reason in refusal for reason, refusal in zip(reasons, refusals, strict=True))
    assert not any("\n" in refusal for refusal in refusals)
