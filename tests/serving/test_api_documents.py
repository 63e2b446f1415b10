"""The API's uploads: documents are translated, served once more, and refused where they are broken."""

import io
import time
import zipfile

import pytest
from helpers import toy
from helpers.clients import Client

from distilmt.inference.translator import Translator
from distilmt.serving.documents import Documents
from distilmt.serving.errors import ApiError

SENTENCE = toy.pairs(1, seed=5)[0][0]


@pytest.fixture(scope="module")
def client(run):
    return Client(run)


def test_documents_are_translated_and_fetched_under_a_name_that_cannot_be_guessed(client, exported_model):
    expected = Translator(exported_model).translate([SENTENCE])[0]
    upload = {"data": {"source": "en", "target": "it"}, "files": {"file": ("../../etc/my note.txt", f"{SENTENCE}\n")}}
    url = client(("POST", "/translate_file", upload)).json()["translatedFileUrl"]
    assert url.startswith("http://here/download_file/") and url.endswith(".my_note_it.txt")
    result = client(("GET", url))
    assert result.text == f"{expected}\n"
    assert result.headers["content-disposition"] == 'attachment; filename="my_note_it.txt"'
    assert client(("GET", url[:-1])).status_code == 404 and client(("GET", "/download_file/.txt")).status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.exe", b"x", "file format not supported"),
        ("a", b"x", "file format not supported"),
        ("a.txt", b"\xff\xfe\xfa", "document"),
        ("a.docx", b"PK\x03\x04broken", "document"),
        ("a.json", b"[" * 50000, "document"),
        ("a.po", b"msgid", "document"),
    ],
)
def test_broken_documents_are_refused(client, name, content, message):
    upload = {"data": {"source": "en", "target": "it"}, "files": {"file": (name, content)}}
    response = client(("POST", "/translate_file", upload))
    assert response.status_code == 400 and message in response.json()["error"]
    missing = client(("POST", "/translate_file", {"data": {"source": "en", "target": "it"}, "files": {"x": b""}}))
    assert missing.json() == {"error": "Invalid request: missing file parameter"}


def test_a_zip_bomb_is_refused(client):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"\0" * 400_000_000)
    upload = {"data": {"source": "en", "target": "it"}, "files": {"file": ("bomb.docx", packed.getvalue())}}
    response = client(("POST", "/translate_file", upload))
    assert response.status_code == 400, response.text


def test_preserved_documents_are_few_and_forgotten(monkeypatch):
    remaining = Documents(cache_bytes=10)
    first, second = remaining.keep("a.txt", b"12345678"), remaining.keep("b.txt", b"123456")
    assert remaining.find(second) == ("b.txt", b"123456")
    with pytest.raises(ApiError):
        remaining.find(first)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 601)
    with pytest.raises(ApiError):
        remaining.find(second)
