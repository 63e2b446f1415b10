"""Pictures over HTTP: JSON with places, translations laid over pictures, limits, and models of text beside."""

import asyncio
import io
import json
import shutil

import numpy as np
import pytest
from helpers.clients import Client
from helpers.pages_of_text import pdf_of, text_picture, texture
from PIL import Image

from distilmt.pictures.reading import SUFFIXES
from distilmt.serving.catalog import served_models
from distilmt.serving.documents import Documents
from distilmt.serving.errors import ApiError
from distilmt.serving.picture_job import PictureJob
from distilmt.serving.processes import DocumentProcess
from distilmt.utils.errors import UserError

LANGUAGES = {"source": "en", "target": "it"}
TEXT = ["A library for images", "and for other pictures."]


@pytest.fixture(scope="module")
def client(picture_model, run):
    for package in ("cv2", "onnxruntime", "pypdfium2", "rapidocr"):
        pytest.importorskip(package)
    return Client(run, picture_model)


@pytest.fixture(scope="module")
def alone(picture_model):
    pytest.importorskip("rapidocr")
    return Client(picture_model, picture_lines=2)


def encoded(image, form="PNG"):
    data = io.BytesIO()
    image.save(data, form)
    return data.getvalue()


@pytest.fixture(scope="module")
def photo():
    return encoded(text_picture(TEXT, (480, 120)))


def upload(data, name="photo.png", **languages):
    return {"data": LANGUAGES | languages, "files": {"file": (name, data)}}


def test_a_form_and_a_body_give_paragraphs_with_places(client, photo):
    form = client(("POST", "/translate_image", upload(photo)))
    assert form.status_code == 200, form.text
    result = form.json()
    (page,) = result["pages"]
    assert (page["page"], page["width"], page["height"]) == (1, 480, 120)
    lines = [line for paragraph in page["paragraphs"] for line in paragraph["lines"]]
    assert len(lines) == 2 and result["milliseconds"] > 0
    for number, line in enumerate(lines):
        left, top, right, bottom = line["box"]
        assert left < 40 and 200 < right < 400 and top <= 32 + 32 * number <= bottom
        assert np.shape(line["quad"]) == (4, 2)
    assert result["translatedText"] == "".join(f"{each['translation']}\n" for each in page["paragraphs"])
    assert result["translatedText"].strip()
    body = {"content": photo, "params": LANGUAGES | {"source": "auto"}, "headers": {"content-type": "image/png"}}
    assert client(("POST", "/translate_image", body)).json()["pages"] == result["pages"]


def test_a_file_comes_back_with_its_translation(client, photo):
    url = client(("POST", "/translate_file", upload(photo, "my photo.jpg"))).json()["translatedFileUrl"]
    assert url.endswith(".my_photo_it.png")
    before, after = (
        np.asarray(Image.open(io.BytesIO(data)).convert("L")) for data in (photo, client(("GET", url)).content)
    )
    assert before.shape == after.shape
    assert (before[:70] != after[:70]).mean() > 0.02 and (before[85:] == after[85:]).all()


def test_a_pdf_comes_back_as_one(client):
    pypdfium2 = pytest.importorskip("pypdfium2")
    data = pdf_of([TEXT, ["Another page."]], (300, 150))
    url = client(("POST", "/translate_file", upload(data, "two.pdf"))).json()["translatedFileUrl"]
    assert url.endswith(".two_it.pdf")
    content = client(("GET", url)).content
    assert len(pypdfium2.PdfDocument(content)) == 2
    pages = client(("POST", "/translate_image", upload(data, "two.pdf"))).json()["pages"]
    assert [page["page"] for page in pages] == [1, 2] and all(page["paragraphs"] for page in pages)


def test_where_nothing_is_written_nothing_is_translated(client):
    blank = encoded(texture("white", (200, 100)))
    result = client(("POST", "/translate_image", upload(blank))).json()
    assert result["translatedText"] == "" and result["pages"][0]["paragraphs"] == []
    response = client(("POST", "/translate_file", upload(blank)))
    assert response.status_code == 400
    assert response.json() == {"error": "Invalid request: no text was found in the picture"}


BOMB = encoded(Image.new("1", (30000, 30000)))


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (BOMB, 413, "the file has a page of more than 64 million pixels: scale it down"),
        (encoded(Image.new("L", (90, 90)))[:60], 400, "the file is damaged"),
        (b"GIF89a", 400, "the file is"),
        (b"%PDF-1.4\n", 400, "the file cannot be read: it is damaged"),
        (b"no picture at all", 400, "is not a picture or PDF that can be read: use .png"),
        (b"", 400, "missing file parameter"),
    ],
)
def test_bombs_and_broken_pictures_are_refused(client, data, status, message):
    response = client(("POST", "/translate_image", upload(data)))
    assert response.status_code == status and message in response.json()["error"], response.text
    assert "\n" not in response.json()["error"]


def test_more_lines_than_allowed_are_refused(alone):
    many = encoded(text_picture([f"This is line {n}. Period." for n in range(5)], (480, 240)))
    response = alone(("POST", "/translate_image", upload(many)))
    assert response.status_code == 413
    assert response.json()["error"] == "Invalid request: the picture has more than 2 lines of text: send it in parts"


def test_a_picture_that_takes_too_long_is_refused_and_its_process_ends(photo, monkeypatch):
    pytest.importorskip("rapidocr")
    documents, closed, close = Documents(seconds=0.3), [], DocumentProcess.close
    monkeypatch.setattr(DocumentProcess, "close", lambda process: closed.append(close(process)))
    with pytest.raises(ApiError, match="the picture takes longer than") as error:
        asyncio.run(documents.run_picture(PictureJob(photo, 16, 512), lambda lines, check: []))
    assert error.value.status == 413 and len(closed) == 1
    documents.close()


def test_each_model_gets_what_it_reads(client, alone, photo, run):
    text = {"q": "Hello.", **LANGUAGES}
    only_pictures = {"error": "This server has only models that read pictures: send a picture to /translate_image"}
    for path in ("/translate", "/compare"):
        response = alone(("POST", path, {"json": text}))
        assert (response.status_code, response.json()) == (400, only_pictures)
    response = Client(run)(("POST", "/translate_image", upload(photo)))
    assert response.status_code == 400
    assert response.json() == {"error": "This server has no model that reads pictures: send text to /translate"}
    assert client(("POST", "/translate", {"json": text})).status_code == 200
    inputs = {model["name"]: model["input"] for model in client(("GET", "/models")).json()}
    assert inputs.pop("reader") == "image" and set(inputs.values()) == {"text"}


def test_what_is_served_shows(client, alone, run):
    formats = [client(("GET", "/frontend/settings")).json(), Client(run)(("GET", "/frontend/settings")).json()]
    assert set(formats[0]["supportedFilesFormat"]) - set(formats[1]["supportedFilesFormat"]) == set(SUFFIXES)
    assert [each["picturesTranslation"] for each in formats] == [True, False]
    assert set(alone(("GET", "/frontend/settings")).json()["supportedFilesFormat"]) == set(SUFFIXES)
    assert alone(("GET", "/languages")).json() == [
        {"code": "en", "name": "English", "targets": [], "imageTargets": ["it"]},
        {"code": "it", "name": "Italian", "targets": [], "imageTargets": []},
    ]
    response = Client(run)(("POST", "/translate_file", upload(b"x", "a.png")))
    assert response.json() == {"error": "Invalid request: file format not supported"}


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        ({"target": "zz"}, "zz is not supported"),
        ({"source": "it", "target": "en"}, "not available as a target language"),
        ({"source": "it"}, "source and target are the same language"),
        ({"source": "auto", "target": "en"}, "The language of a picture is not detected: set source (none)"),
        ({"source": ""}, "missing source parameter"),
    ],
)
def test_languages_are_checked(client, photo, languages, message):
    response = client(("POST", "/translate_image", upload(photo, **languages)))
    assert response.status_code == 400 and message in response.json()["error"]


def test_the_api_describes_it(client, alone):
    for one in (client, alone):
        operation = one(("GET", "/spec")).json()["paths"]["/translate_image"]["post"]
        assert {"multipart/form-data", "image/*", "application/pdf"} <= set(operation["requestBody"]["content"])
        page = operation["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["pages"]["items"]
        assert set(page["properties"]) == {"page", "width", "height", "paragraphs"}
        assert {"400", "413", "503"} <= set(operation["responses"])


def test_exports_of_text_in_a_run_of_pictures_are_not_served(picture_model, run, tmp_path):
    for name, source in (("student-int8", picture_model), ("teacher", run / "exports" / "student-int8")):
        shutil.copytree(source, tmp_path / "run" / "exports" / name)
    (tmp_path / "run" / "config.yaml").write_text(json.dumps({"corpus": LANGUAGES}))
    served = served_models([str(tmp_path / "run")], "student-int8")
    assert not served.text and [each.name for each in served.pictures["en", "it"].models] == ["run/student-int8"]


def test_a_glossary_needs_a_model_of_text(picture_model, tmp_path):
    (tmp_path / "terms.tsv").write_text("a\tb\n")
    with pytest.raises(UserError, match="--glossary is for models that read text, and none is served: leave it out"):
        Client(picture_model, glossary=[str(tmp_path / "terms.tsv")])
