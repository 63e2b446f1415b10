import json

import pytest
from helpers import toy
from helpers.clients import Client
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config.commands import ServeConfig
from distilmt.documents import TranslateWithAttention, translate_html
from distilmt.inference.translator import Translator
from distilmt.utils.errors import UserError

SENTENCE = toy.pairs(1, seed=5)[0][0]


@pytest.fixture(scope="module")
def client(run):
    return Client(run)


def requests(q=SENTENCE, **more):
    return {"q": q, "source": "en", "target": "it"} | more


def test_json_form_query_and_lists_translate_as_the_translator_does(client, exported_model):
    expected = Translator(exported_model).translate([SENTENCE])[0]
    one = client.post("/translate", **requests())
    assert one.status_code == 200 and one.json() == {"translatedText": expected}
    assert client(("POST", "/translate", {"data": requests()})).json() == {"translatedText": expected}
    assert client(("POST", "/translate", {"params": requests()})).json() == {"translatedText": expected}
    assert client(("POST", "/translate", {"files": {"x": b""}, "data": requests()})).json() == {
        "translatedText": expected
    }
    many = client.post("/translate", **requests([SENTENCE, "", "!!", f"{SENTENCE}\n\n {SENTENCE}"])).json()
    assert many["translatedText"] == [expected, "", "!!", f"{expected}\n\n {expected}"]


def test_many_clients_at_once_get_their_own_responses(client, exported_model):
    texts = toy.pairs(60, seed=8)[0]
    expected = Translator(exported_model).translate(texts)
    responses = client(*(("POST", "/translate", {"json": requests(text)}) for text in texts))
    assert [response.json()["translatedText"] for response in responses] == expected


def test_auto_alternatives_and_details(client):
    result = client.post("/translate", **requests("The quick brown fox and the dog.", source="auto")).json()
    assert result["detectedLanguage"]["language"] == "en" and 0 < result["detectedLanguage"]["confidence"] <= 100
    result = client.post("/translate", **requests([SENTENCE] * 2, source="auto", alternatives=3, details=True)).json()
    assert len(result["detectedLanguage"]) == len(result["alternatives"]) == len(result["details"]) == 2
    assert 1 <= len(result["alternatives"][0]) <= 3 and result["translatedText"][0] not in result["alternatives"][0]
    (sentence,) = result["details"][0]
    assert sentence["source"] == SENTENCE and sentence["score"] < 0 and sentence["model"] == "toys/student-int8"
    assert client.post("/translate", **requests(source="it")).json() == {"translatedText": SENTENCE}, (
        "the same language"
    )


def test_glossary(run, tmp_path):
    """Prescribed terms arrive, first and in all alternatives, in texts as in documents; other texts stay."""
    path = tmp_path / "terms.tsv"
    path.write_text("ban\tZug\n")
    free, bound = Client(run), Client(run, glossary=[f"en-it={path}"])
    texts = ["der xyz.", "ban der.", "Ban, ban!"]
    plain, result = (
        client.post("/translate", **requests(texts, alternatives=3, details=True)).json() for client in (free, bound)
    )
    assert result["translatedText"][0] == plain["translatedText"][0]
    for text, output, others in zip(texts[1:], result["translatedText"][1:], result["alternatives"][1:], strict=True):
        assert all(one.lower().count("zug") >= text.lower().count("ban") for one in (output, *others))
    assert [sentence[0]["translation"] for sentence in result["details"]] == result["translatedText"]
    page = bound.post("/translate", **requests("<p>ban <b>der</b>.</p>", format="html")).json()["translatedText"]
    assert "Zug" in page or "zug" in page
    for wrong, message in (
        (f"en-de={path}", "one of en-it"),
        (str(tmp_path), "--glossary"),
        ("no.tsv", "No such file"),
    ):
        with pytest.raises(UserError, match=message):
            Client(run, glossary=[wrong])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"source": "en", "target": "it"}, "Invalid request: missing q parameter"),
        ({"q": "a", "target": "it"}, "Invalid request: missing source parameter"),
        ({"q": "a", "source": "en"}, "Invalid request: missing target parameter"),
        (requests(target="zz"), "zz is not supported"),
        (requests(source="zz"), "zz is not supported"),
        (requests(source="it", target="en"), "English (en) is not available as a target language from Italian (it)"),
        (requests(format="pdf"), "pdf format is not supported"),
        (requests(alternatives="many"), "Invalid request: alternatives parameter is not a number"),
        (requests(alternatives=99), "Invalid request: alternatives parameter must be <= 8"),
        (requests(details="perhaps"), "Invalid request: details parameter is neither true nor false"),
        (requests(7), "Invalid request: q parameter is neither a text nor a list of texts"),
        (requests([None]), "Invalid request: q parameter is neither a text nor a list of texts"),
        (requests(["a"] * 257), "Invalid request: request (257) exceeds text limit (256)"),
        (requests("a" * 20001), "Invalid request: request (20001) exceeds text limit (20000)"),
        ([1], "Invalid JSON format"),
    ],
)
def test_refusals_are_those_of_libretranslate(client, body, message):
    response = client(("POST", "/translate", {"json": body}))
    assert response.status_code == 400 and response.json() == {"error": message}


@pytest.mark.parametrize("body", [b"{", b"[" * 100000, b'{"q":' + b"9" * 5000 + b"}", b"\xff\xfe"])
def test_broken_json(client, body):
    response = client(("POST", "/translate", {"content": body, "headers": {"content-type": "application/json"}}))
    assert response.status_code == 400 and "error" in response.json()


def test_broken_forms_and_unknown_kinds(client):
    headers = {"content-type": "multipart/form-data; boundary=x"}
    for kind, status in (
        (headers, 400),
        ({"content-type": "multipart/form-data"}, 400),
        ({"content-type": "a/b"}, 415),
    ):
        response = client(("POST", "/translate", {"content": b"--y\r\nnothing", "headers": kind}))
        assert response.status_code == status and "error" in response.json()
    assert client(("GET", "/translate")).status_code == 405 and client(("GET", "/nowhere")).status_code == 404
    assert client(("GET", "/nowhere")).json() == {"error": "Not Found"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda x: st.lists(x, max_size=3), max_leaves=5
)
TEXT = st.text(st.characters(), max_size=40)


@settings(max_examples=example_count(60), deadline=None)
@given(q=TEXT | st.lists(TEXT, max_size=3) | JSON, source=st.sampled_from(["en", "auto", "it"]) | JSON, more=JSON)
def test_nothing_that_is_sent_breaks_it(client, q, source, more):
    body = json.dumps({"q": q, "source": source, "target": "it", "alternatives": more, "details": more})
    response = client(("POST", "/translate", {"content": body, "headers": {"content-type": "application/json"}}))
    assert response.status_code in (200, 400)
    if response.status_code == 200 and isinstance(q, list):
        assert len(response.json()["translatedText"]) == len(q)


def test_languages_settings_and_detection(client):
    assert client(("GET", "/languages")).json() == [
        {"code": "en", "name": "English", "targets": ["it"]},
        {"code": "it", "name": "Italian", "targets": []},
    ]
    result = client(("GET", "/frontend/settings")).json()
    assert result["charLimit"] == 20000 and not result["keyRequired"] and result["language"]["target"]["code"] == "it"
    best = client.post("/detect", q="Questa è una biblioteca molto grande per le immagini.").json()[0]
    assert best["language"] == "it" and best["confidence"] > 50
    assert client.post("/detect", q="12").json() == [{"confidence": 0.0, "language": "en"}]
    assert client.post("/suggest", q="a").status_code == 403


def test_models_compare_report_health_and_metrics(client):
    models = client(("GET", "/models")).json()
    assert [one["name"] for one in models] == ["toys/student-int8", "toys/baseline", "toys/teacher-int8"]
    assert models[0]["translates"] and models[0]["scores"] == {"test bleu": 12.5} and models[0]["bytes"] > 0
    compared = client.post("/compare", **requests()).json()
    assert len({one["translatedText"] for one in compared}) == 1 and all(one["milliseconds"] >= 0 for one in compared)
    detected = client.post("/compare", **requests(source="auto")).json()
    assert [one["translatedText"] for one in detected] == [one["translatedText"] for one in compared]
    assert all(one["detectedLanguage"]["language"] == "en" for one in detected)
    report = client(("GET", models[0]["report"]))
    assert "<title>Report" in report.text and "default-src 'none'" in report.headers["content-security-policy"]
    assert client(("GET", "/report?model=/etc/passwd")).status_code == 404
    assert client(("GET", "/healthz")).json() == {"status": "ok"}
    message = client(("GET", "/metrics")).text
    assert 'distilmt_sentences_total{role="student"}' in message and 'path="/compare",status="200"' in message
    assert {"/translate", "/detect", "/translate_file", "/compare"} <= set(client(("GET", "/spec")).json()["paths"])


def test_keys_are_requested_and_compared(run, tmp_path, monkeypatch):
    (tmp_path / "keys").write_text("# of the house\nsecret-1\nsecret-2\n")
    monkeypatch.setenv("DISTILMT_API_KEYS", "secret-3")
    client = Client(run, api_keys=str(tmp_path / "keys"))
    assert client.post("/translate", **requests()).status_code == 400
    for key in ("wrong", "", "sécret", 5):
        assert client.post("/translate", **requests(api_key=key)).status_code in (400, 403)
    for key in ("secret-1", "secret-2", "secret-3"):
        assert client.post("/translate", **requests(api_key=key)).status_code == 200
    bearer = {"json": requests(), "headers": {"authorization": "Bearer secret-1"}}
    assert client(("POST", "/translate", bearer)).status_code == 200
    assert client.post("/detect", q="a").json() == {"error": "Please contact the server operator to get an API key"}
    assert client.post("/compare", **requests(api_key="wrong")).json() == {"error": "Invalid API key"}
    (tmp_path / "empty").write_text("# none\n")
    with pytest.raises(UserError, match="has no key"):
        Client(run, api_keys=str(tmp_path / "empty"))


def test_rates_count_texts_of_a_client(run):
    client = Client(run, req_limit=4)
    assert client.post("/translate", **requests([SENTENCE] * 3)).status_code == 200
    refused = client.post("/translate", **requests([SENTENCE] * 3))
    assert refused.status_code == 429 and refused.json()["error"].startswith("Slowdown:")
    assert 20 <= int(refused.headers["retry-after"]) <= 31
    assert client.post("/translate", **requests()).status_code == 200


def test_bodies_have_a_limit(run):
    client = Client(run, body_limit="2KB")
    refused = client.post("/translate", **requests("a" * 3000))
    assert refused.status_code == 413 and refused.headers["connection"] == "close"

    async def endless():
        while True:
            yield b"q=" + b"a" * 500

    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client(("POST", "/translate", {"content": endless(), "headers": form})).status_code == 413


def test_a_cascade_requests_the_teacher_where_the_student_is_not_sure(run):
    low, high = Client(run, cascade_threshold=-100.0), Client(run, cascade_threshold=0.0, beam_size=1)
    for client, model in ((low, "toys/student-int8"), (high, "toys/teacher-int8")):
        result = client.post("/translate", **requests(details=True)).json()
        assert result["details"][0]["model"] == model
    message = high(("GET", "/metrics")).text
    assert 'distilmt_sentences_total{role="teacher"} 1.0' in message
    with pytest.raises(UserError, match="needs a teacher"):
        Client(run / "exports" / "student-int8", cascade_threshold=-1.0)


def test_models_make_room_for_others(run, exported_model):
    size = sum(file.stat().st_size for file in (run / "exports" / "baseline").rglob("*"))
    client = Client(run, f"da-en={exported_model}", memory=str(int(1.5 * size)))
    for _ in range(2):
        assert client.post("/translate", **requests()).status_code == 200
        assert client.post("/translate", **requests(source="da", target="en")).status_code == 200
        assert sum(model["loaded"] for model in client(("GET", "/models")).json()) == 1
    assert "distilmt_models_evicted_total 3.0" in client(("GET", "/metrics")).text
    with pytest.raises(UserError, match="raise --memory"):
        Client(run, memory="1KB")


def test_what_cannot_be_served_is_reported(run, exported_model, tmp_path):
    for model, message in (
        (tmp_path / "none", "is not a directory"),
        (tmp_path, "finish the run first"),
        (exported_model, "languages of .* are unknown"),
    ):
        with pytest.raises(UserError, match=message):
            Client(model)
    with pytest.raises(UserError, match="name it once"):
        Client(run, run)
    with pytest.raises(UserError, match=r"has no exported .*--system"):
        Client(run, system="student")
    with pytest.raises(UserError, match="2GB"):
        ServeConfig(["x"], memory="much")


def test_markup_is_translated_around_its_tags(client, exported_model):
    expected = Translator(exported_model).translate([SENTENCE])[0]
    result = client.post("/translate", **requests([f"<p>{SENTENCE}</p><hr>", "<b>12</b>"], format="html")).json()
    assert result["translatedText"] == [f"<p>{expected}</p><hr>", "<b>12</b>"]


def test_tags_are_placed_by_the_models_attention(client, exported_model):
    translator = Translator(exported_model, threads=1)
    pages = [f"<p>{' '.join([*words[:1], f'<b>{words[1]}</b>', *words[2:]])}</p>" for words in many_words(60)]
    result = client.post("/translate", **requests(pages, format="html")).json()["translatedText"]
    assert result == [
        translate_html(page, TranslateWithAttention(translator.translate, translator.attention)) for page in pages
    ]
    assert result != [translate_html(page, translator.translate) for page in pages]


def many_words(count):
    return [words for text in toy.pairs(count, seed=7)[0] if len(words := text.split()) > 2]


def test_pages_of_other_origins_may_request_only_where_that_is_stated(client, run):
    origin = {"json": requests(), "headers": {"origin": "https://example.org"}}
    assert "access-control-allow-origin" not in client(("POST", "/translate", origin)).headers
    open_to = Client(run, cors_origin="https://example.org")
    assert open_to(("POST", "/translate", origin)).headers["access-control-allow-origin"] == "https://example.org"
