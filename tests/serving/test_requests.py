"""What clients send by mistake or on purpose: forms, hosts, names, methods and paths."""

import json
import shutil
from urllib.parse import quote, urlencode

import pytest
from helpers import toy
from helpers.clients import Client
from helpers.examples import example_count
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilmt.serving import language_codes
from distilmt.serving.detection import identify
from distilmt.serving.documents import disposition, safe_name
from distilmt.utils.errors import UserError

SENTENCE = toy.pairs(1, seed=5)[0][0]
FORM = {"content-type": "application/x-www-form-urlencoded"}
ITALIAN = "Questo è un piccolo programma per scrivere i testi in italiano."
FRENCH = "Ceci est un petit programme pour écrire des textes en français."


@pytest.fixture(scope="module")
def client(run):
    return Client(run)


def requests(q=SENTENCE, **more):
    return {"q": q, "source": "en", "target": "it"} | more


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("path", ["/translate", "/detect", "/compare", "/translate_file"])
def test_a_form_of_many_fields_is_a_mistake_of_the_client(run, monkeypatch, path, keys):
    if keys:
        monkeypatch.setenv("DISTILMT_API_KEYS", "secret")
    client = Client(run)
    many = "&".join(f"a{i}=1" for i in range(1001))
    parts = (
        "".join(f'--x\r\nContent-Disposition: form-data; name="a{i}"\r\n\r\n1\r\n' for i in range(1001)) + "--x--\r\n"
    )
    for content, kind in ((many, FORM), (parts, {"content-type": "multipart/form-data; boundary=x"})):
        response = client(("POST", path, {"content": content, "headers": kind}))
        assert response.status_code in (400, 413) and set(response.json()) == {"error"}


MULTIPART = [b"--x\r\n", b"--x--\r\n", b"\r\n", b"Content-Disposition: form-data", b'; name="q"', b'; filename="a.txt"']
OTHERS = [b"Content-Type: text/plain", b"; filename*=UTF-8''%e2%82", b"%", b"&", b"=", b"\xff", b"q=a", b"\0", b":"]
PART = st.sampled_from(MULTIPART + OTHERS)
KIND = st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data"])
CHARSET = st.sampled_from(
    ["", "; charset=utf-8", "; charset=latin-1", "; charset=idna", "; charset=nonsense", "; charset="]
)


@settings(max_examples=example_count(150), deadline=None)
@given(body=st.lists(PART | st.binary(max_size=8), max_size=20).map(b"".join), kind=KIND, charset=CHARSET)
def test_no_form_breaks_it(client, body, kind, charset):
    path = "/translate_file" if kind.startswith("multipart") else "/translate"
    response = client(("POST", path, {"content": body, "headers": {"content-type": kind + charset}}))
    assert response.status_code in (400, 413, 415) and set(response.json()) == {"error"}


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1, max_size=30))
def test_forms_and_queries_bring_every_text(client, text):
    """The language pair is the same, so that texts come back as they were read."""
    same = {"q": text, "source": "it", "target": "it"}
    raw = f"source=it&target=it&q={quote(text)}".encode()
    bare = b"source=it&target=it&q=" + text.translate({ord(c): f"%{ord(c):02x}" for c in "%&+=;"}).encode()
    for request in (
        {"json": same},
        {"params": same},
        {"content": raw, "headers": FORM},
        {"content": bare, "headers": FORM},
    ):
        assert client(("POST", "/translate", request)).json() == {"translatedText": text}


def test_charsets_of_forms(client):
    same = {"source": "it", "target": "it"}
    latin = urlencode({"q": "perché"} | same, encoding="latin-1").encode()
    for content, charset in ((latin, "iso-8859-1"), ("q=perché&source=it&target=it".encode("latin-1"), "latin1")):
        kind = {"content-type": f"{FORM['content-type']}; charset={charset}"}
        assert client(("POST", "/translate", {"content": content, "headers": kind})).json() == {
            "translatedText": "perché"
        }
    response = client(("POST", "/translate", {"content": latin, "headers": FORM}))
    assert response.status_code == 400 and "not in utf-8" in response.json()["error"]
    many = {"files": {"x": b""}, "data": {"q": "è\r\nà\u2028b\n"} | same}
    assert client(("POST", "/translate", many)).json() == {"translatedText": "è\nà\u2028b\n"}
    typed = {
        "content": json.dumps(requests(source="it")),
        "headers": {"content-type": "application/json; charset=UTF-8"},
    }
    assert client(("POST", "/translate", typed)).json() == {"translatedText": SENTENCE}


def test_head_options_and_slashes(client):
    for path in (
        "/languages",
        "/frontend/settings",
        "/health",
        "/healthz",
        "/metrics",
        "/models",
        "/spec",
        "/report",
        "/",
    ):
        whole, head = client(("GET", path), ("HEAD", path))
        assert (head.status_code, head.content) == (200, b""), path
        if path != "/metrics":  # it counts the requests in between
            assert head.headers["content-length"] == whole.headers["content-length"]
    assert client(("HEAD", "/translate")).status_code == 405 and client(("HEAD", "/nowhere")).status_code == 404
    for path, allowed in (("/languages", {"GET", "HEAD", "OPTIONS"}), ("/translate", {"POST", "OPTIONS"})):
        response = client(("OPTIONS", path))
        assert response.status_code == 200 and set(response.headers["allow"].split(", ")) == allowed
    for path in ("/translate/", "http://here//translate", "/translate//"):
        assert client(("POST", path, {"json": requests(source="it")})).json() == {"translatedText": SENTENCE}


def test_links_name_no_host_that_the_server_does_not_know(client, run):
    def link(client, host):
        upload = {"data": {"source": "en", "target": "it"}, "files": {"file": ("a.txt", SENTENCE)}}
        return client(("POST", "/translate_file", upload | {"headers": {"host": host}})).json()["translatedFileUrl"]

    for host in ("evil.example", "evil@localhost", "localhost.evil.example", "localhost/x", "", "a b", "[::1", "127.1"):
        result = link(client, host)
        assert result.startswith("/download_file/"), host
        assert client(("GET", result)).status_code == 200
    for host in ("localhost:5000", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST"):
        assert link(client, host).startswith(f"http://{host}/download_file/")
    public = Client(run, public_url="https://example.org/mt/")
    assert link(public, "evil.example").startswith("https://example.org/mt/download_file/")
    response = client(("GET", "/languages/", {"headers": {"host": "evil.example"}}))
    assert response.status_code == 200 and "location" not in response.headers


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("документ.txt", "документ_it.txt"),
        ("说明 书.txt", "说明_书_it.txt"),
        ("résumé.txt", "résumé_it.txt"),
        ("…", "document_it"),
    ],
)
def test_names_of_documents_survive(client, name, shown):
    assert safe_name(name, "it") == shown
    if not name.endswith(".txt"):
        return
    upload = {"data": {"source": "en", "target": "it"}, "files": {"file": (name, SENTENCE)}}
    response = client(("GET", client(("POST", "/translate_file", upload)).json()["translatedFileUrl"]))
    assert response.headers["content-disposition"].endswith(f"; filename*=UTF-8''{quote(shown)}")


@given(name=st.text(max_size=300))
def test_no_name_gets_out_of_its_header(name):
    header = disposition(safe_name(name.encode("utf-8", "replace").decode(), "it"))
    assert header.isascii() and header.isprintable() and header.count('"') == 2 and len(header) < 1000
    assert "/" not in header and ".." not in header


@pytest.mark.parametrize("value", ["", " ", ",", " , ", ",,\t,"])
def test_a_secret_that_did_not_arrive_opens_nothing(run, monkeypatch, value):
    monkeypatch.setenv("DISTILMT_API_KEYS", value)
    with pytest.raises(UserError, match="DISTILMT_API_KEYS is set but has no key") as error:
        Client(run)
    assert "\n" not in str(error.value)


def test_what_reports_of_models_wants_a_key_too(run, monkeypatch):
    monkeypatch.setenv("DISTILMT_API_KEYS", "secret")
    client = Client(run)
    for path in ("/models", "/metrics", "/report"):
        assert client(("GET", path)).status_code == 400 and client(("HEAD", path)).status_code == 400
        assert client(("GET", path, {"params": {"api_key": "wrong"}})).status_code == 403
        assert client(("GET", path, {"params": {"api_key": "secret"}})).status_code == 200
        assert client(("GET", path, {"headers": {"authorization": "Bearer secret"}})).status_code == 200
    assert client(("GET", "/languages")).status_code == client(("GET", "/")).status_code == 200


def test_runs_of_the_same_name_are_served_together(run, exported_model, tmp_path):
    for place in ("a", "b/c"):
        shutil.copytree(run, tmp_path / place / "run")
    (tmp_path / "b/c/run/config.yaml").write_text("corpus: {source: en, target: fr}\n")
    client = Client(tmp_path / "a/run", tmp_path / "b/c/run")
    names = [model["name"] for model in client(("GET", "/models")).json()]
    assert len(set(names)) == 6 and {"a/run/student-int8", "c/run/student-int8"} <= set(names)
    assert client.post("/translate", **requests(target="fr")).status_code == 200
    for again in (tmp_path / "a/run", tmp_path / "a/../a/run"):
        with pytest.raises(UserError, match="named twice"):
            Client(tmp_path / "a/run", again)


# Detection


def test_texts_in_the_target_language_come_back(client):
    for q in (ITALIAN, f"<p>{ITALIAN}</p>"):
        response = client.post("/translate", **requests(q, source="auto", format="html" if "<" in q else "text")).json()
        assert response["translatedText"] == q and response["detectedLanguage"]["language"] == "it"
        assert response["detectedLanguage"]["confidence"] > 80
    assert client.post("/detect", q=ITALIAN).json()[0] == response["detectedLanguage"] or "<" in q
    upload = {"data": {"source": "auto", "target": "it"}, "files": {"file": ("a.txt", ITALIAN)}}
    assert client(("GET", client(("POST", "/translate_file", upload)).json()["translatedFileUrl"])).text == ITALIAN


def test_languages_that_are_not_served_are_refused_or_reported(client):
    response = client.post("/translate", **requests(FRENCH, source="auto"))
    assert response.status_code == 400 and response.json() == {"error": "French (fr) is not supported"}
    assert client.post("/detect", q=FRENCH).json()[0]["language"] == "fr"
    some = client.post(
        "/translate", **requests(["This is a text in English.", ITALIAN, FRENCH, "12"], source="auto")
    ).json()
    assert [one["language"] for one in some["detectedLanguage"]] == ["en", "it", "fr", "en"]
    assert some["translatedText"][1:] == [ITALIAN, FRENCH, "12"] and some["detectedLanguage"][3]["confidence"] == 0


@pytest.mark.parametrize("text", ["12345", "!!", "— 3/4 —", "🎉", "\n"])
def test_texts_without_letters_come_back(run, exported_model, text):
    client = Client(f"de-fr={exported_model}")
    response = client.post("/translate", q=text, source="auto", target="fr")
    assert response.status_code == 200 and response.json()["translatedText"] == text
    assert response.json()["detectedLanguage"]["confidence"] == 0


@settings(max_examples=example_count(60), deadline=None)
@given(text=st.text(min_size=1, max_size=60))
@example(text="\0µ")
@example(text="\ufeffµ {name}")
def test_detect_and_translate_agree(client, text):
    detection = client.post("/detect", q=text)
    response = client.post("/translate", **requests(text, source="auto"))
    if "\0" in text:
        assert detection.status_code == response.status_code == 400
        return
    result = detection.json()[0]
    if response.status_code == 200:
        assert response.json()["detectedLanguage"] == result
    else:
        assert f"({result['language']})" in response.json()["error"]


@pytest.mark.parametrize(
    ("code", "recognized", "expected"),
    [
        ("en-US", ["en", "it"], "en"),
        ("EN_gb", ["en"], "en"),
        ("de_DE.UTF-8", ["de"], "de"),
        ("zh_CN", ["zh-Hans", "zh-Hant"], "zh-Hans"),
        ("zh-Hant-TW", ["zh-Hans", "zh-Hant"], "zh-Hant"),
        ("zh-HK", ["zh-Hans"], "zh-Hans"),
        ("pt_BR", ["pt", "pt-BR"], "pt-BR"),
        ("pt-PT", ["pt-BR"], "pt-BR"),
        ("iw", ["he"], "he"),
        ("no-NO", ["nb"], "nb"),
        ("zz", ["en"], None),
    ],
)
def test_region_codes(code, recognized, expected):
    assert language_codes.closest(code, recognized) == expected


def test_regions_and_scripts_are_detected():
    chinese, traditional = "这是一个很小的文字处理程序。", "這是一個很小的文書處理程式。"
    served = {"zh-Hans", "zh-Hant", "en", "pt-BR"}
    for text, code in (
        (chinese, "zh-Hans"),
        (traditional, "zh-Hant"),
        ("Este é um programa para você escrever.", "pt-BR"),
    ):
        assert identify(text, served, served)[0]["language"] == code
    assert identify(chinese, {"zh-Hant", "en"}, {"en"})[0]["language"] == "zh-Hant"
    assert identify("Dette er et lite program som skriver tekst på norsk.", {"nb", "en"}, {"en"})[0]["language"] == "nb"


def test_a_text_with_nul_characters_is_refused(client):
    for path in ("/translate", "/compare"):
        response = client(("POST", path, {"json": requests(["ban.", "a\0b"])}))
        assert response.status_code == 400 and "NUL character" in response.json()["error"]


@pytest.mark.parametrize(
    ("path", "values"),
    [("/translate", {"q": ["ban.", "a\ud83d"]}), ("/compare", {"q": "a\ud83d"}), ("/translate", {"keep": "\ud83d"})],
)
def test_half_a_character_is_refused(client, path, values):
    content = {"content": json.dumps(requests() | values), "headers": {"content-type": "application/json"}}
    response = client(("POST", path, content))
    assert response.status_code == 400 and "lone surrogate, U+D83D" in response.json()["error"]


def test_responses_name_no_flags_of_the_command_line(client):
    for name, content in (("a.txt", b"caf\xe9"), ("a.md", b"a\0b"), ("a.po", b"msgid"), ("a.docx", b"PK")):
        upload = {"data": {"source": "en", "target": "it"}, "files": {"file": (name, content)}}
        response = client(("POST", "/translate_file", upload))
        assert response.status_code == 400 and "--" not in response.json()["error"]


def test_an_export_that_no_model_has_is_refused(exported_model, run):
    with pytest.raises(UserError, match="no run with an export 'other' is among them: leave --system out"):
        Client(f"en-it={exported_model}", system="other")
    assert Client(run, system="teacher-int8", ui=False)
