"""What was tried on the server before: T57 and the adversary's W3, W9, C3, C6, S3, S5, K5, K7, one test each."""

import shutil

import pytest
from helpers import toy
from helpers.clients import Client

from distilmt.export.card import Form, ModelCard, write_card
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError

SENTENCE = toy.pairs(1, seed=5)[0][0]
ITALIAN = "Questo è un piccolo programma per scrivere i testi in italiano."


@pytest.fixture(scope="module")
def model(exported_model, tmp_path_factory):
    place = tmp_path_factory.mktemp("tries") / "run" / "model"
    shutil.copytree(exported_model, place)
    write_card(place, ModelCard("en", "it"), Form("CTranslate2", "ctranslate2", "Use it."))
    return place


@pytest.fixture(scope="module")
def client(model):
    return Client(model)


def test_t57_a_text_in_the_target_language_comes_back(client):
    response = client.post("/translate", q=ITALIAN, source="auto", target="it").json()
    assert response["translatedText"] == ITALIAN and response["detectedLanguage"]["language"] == "it"
    german = client.post("/translate", q="Das ist ein kleines Programm für Texte.", source="auto", target="it")
    assert german.status_code == 400 and german.json() == {"error": "German (de) is not supported"}


def test_w3_digits_come_back(exported_model):
    response = Client(f"de-fr={exported_model}").post("/translate", q="12345", source="auto", target="fr")
    assert response.status_code == 200 and response.json()["translatedText"] == "12345"


def test_w9_a_flipped_bit_of_the_weights_is_reported(model, tmp_path):
    place = shutil.copytree(model, tmp_path / "model")
    weights = bytearray((place / "model.bin").read_bytes())
    weights[-1000] ^= 4
    (place / "model.bin").write_bytes(weights)
    with pytest.raises(UserError, match=r"model\.bin is damaged"):
        Translator(place)


@pytest.mark.parametrize("name", ["config.json", "shared_vocabulary.json", "source.spm", "model.bin", "distilmt.json"])
def test_c3_a_cut_file_is_one_line(model, tmp_path, name):
    place = shutil.copytree(model, tmp_path / "model")
    (place / name).write_bytes((place / name).read_bytes()[:-30])
    with pytest.raises(UserError, match=name.replace(".", r"\.")) as error:
        Translator(place)
    assert "\n" not in str(error.value)


def test_c6_a_form_of_many_fields(client):
    response = client(("POST", "/translate", {"data": {f"a{i}": "1" for i in range(1001)}}))
    assert response.status_code == 400 and "error" in response.json()


def test_s3_an_empty_secret_opens_nothing(model, monkeypatch):
    monkeypatch.setenv("DISTILMT_API_KEYS", " , ")
    with pytest.raises(UserError, match="has no key"):
        Client(model)


def test_s5_no_foreign_host_in_links(client):
    upload = {"data": {"source": "en", "target": "it"}, "files": {"file": ("a.txt", SENTENCE)}}
    response = client(("POST", "/translate_file", upload | {"headers": {"host": "evil.example"}}))
    assert response.json()["translatedFileUrl"].startswith("/download_file/")


def test_k5_runs_of_one_name(model, tmp_path):
    other = shutil.copytree(model, tmp_path / "run" / "model")
    client = Client(model, f"en-fr={other}")
    names = [one["name"] for one in client(("GET", "/models")).json()]
    assert len(set(names)) == 2


def test_k7_names_in_other_scripts(client):
    upload = {"data": {"source": "en", "target": "it"}, "files": {"file": ("документ.txt", SENTENCE)}}
    link = client(("POST", "/translate_file", upload)).json()["translatedFileUrl"]
    assert "filename*=UTF-8''%D0%B4" in client(("GET", link)).headers["content-disposition"]


def test_w10_code_stays(client):
    response = client.post("/translate", q="ban `ls -l` der.", source="en", target="it").json()
    assert "`ls -l`" in response["translatedText"]
