"""What stays as it stands in documents and texts of a server: `--keep`, and the field `keep` of a request."""

import pytest
from helpers import toy
from helpers.clients import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config.loading import load_serve
from distilmt.utils.errors import UserError

SENTENCE = toy.pairs(1, seed=5)[0][0]
PAIR = {"source": "en", "target": "it"}


@pytest.fixture(scope="module")
def keeping(run):
    client = Client(run, keep=[r"ACME-\d+", r"\[[a-z]+\]"])
    yield client
    client.app.state.api.documents.close()


@pytest.fixture(scope="module")
def client(run):
    client = Client(run)
    yield client
    client.app.state.api.documents.close()


def uploaded(client, text, name="a.txt", **data):
    response = client(("POST", "/translate_file", {"data": PAIR | data, "files": {"file": (name, text)}}))
    assert response.status_code == 200, response.text
    return client(("GET", response.json()["translatedFileUrl"])).text


@given(st.lists(st.sampled_from(["ban", "der", "ACME-12", "ACME-7", "[fir]", "nen."]), min_size=1, max_size=7))
@settings(max_examples=25, deadline=None)
def test_what_the_server_keeps_stays_in_texts(keeping, words):
    text = " ".join(words)
    response = keeping.post("/translate", q=text, **PAIR).json()["translatedText"]
    for word in {"ACME-12", "ACME-7", "[fir]"}:
        assert response.count(word) == words.count(word), response


def test_what_the_server_keeps_stays_in_documents_and_markup(keeping):
    assert "ACME-12" in uploaded(keeping, f"{SENTENCE}\nban ACME-12 der.\n")
    page = keeping.post("/translate", q="<p>ban <b>ACME-12</b> der [fir].</p>", format="html", **PAIR).json()
    assert "ACME-12" in page["translatedText"] and "[fir]" in page["translatedText"]


def test_a_client_names_more(client, keeping):
    text = "ban Foo Bar der ACME-12."
    assert "Foo Bar" not in client.post("/translate", q=text, **PAIR).json()["translatedText"]
    for q in (text, [text, SENTENCE]):
        response = client.post("/translate", q=q, keep=["Foo Bar", "unused"], details=True, **PAIR).json()
        translated = response["translatedText"] if q is text else response["translatedText"][0]
        assert "Foo Bar" in translated and response["details"]
    response = keeping.post("/translate", q=text, keep="Foo Bar", **PAIR).json()["translatedText"]
    assert "Foo Bar" in response and "ACME-12" in response
    assert "Foo Bar" in client(("POST", "/translate", {"data": PAIR | {"q": text, "keep": "Foo Bar"}})).text
    assert "Foo Bar" in uploaded(client, text, keep="Foo Bar")
    assert "Foo Bar" in uploaded(client, f"# {text}\n", "a.md", keep="Foo Bar")


@pytest.mark.parametrize(
    "keep, message",
    [
        ("(", "not a regular expression"),
        ("a*", "matches the empty text"),
        ([1], "neither a text nor a list"),
        ({"a": 1}, "neither a text nor a list"),
        (["a"] * 17, "exceeds 16 patterns"),
        ("a" * 201, "of 200 characters"),
        ("(?:a|aa|a+)+$|x", "nested repeats"),
    ],
)
def test_bad_patterns_of_a_client_are_refused(client, keep, message):
    response = client.post("/translate", q="a" * 200 + "b", keep=keep, **PAIR)
    assert response.status_code == 400 and message in response.json()["error"]
    assert client.post("/translate", q=SENTENCE, **PAIR).status_code == 200


@given(st.text(max_size=12), st.text(max_size=30))
@settings(max_examples=40, deadline=None)
def test_no_pattern_of_a_client_breaks_it(client, pattern, text):
    status = client.post("/translate", q=text or "a", keep=pattern, **PAIR).status_code
    assert status in (200, 400)


def test_the_flag_takes_patterns_as_they_stand():
    config = load_serve(["runs/demo", "--keep", "[a-z]+", "--port", "0", "--keep=null", "--keep", "--x"])
    assert config.keep == ["[a-z]+", "null", "--x"] and config.port == 0 and config.models == ["runs/demo"]
    with pytest.raises(UserError, match="--keep needs a value"):
        load_serve(["runs/demo", "--keep"])


def test_a_bad_flag_ends_the_server_with_one_line(run):
    with pytest.raises(UserError, match="--keep '\\(' is not a regular expression"):
        Client(run, keep=["("])
