"""The language of a document with `source: auto`: a sample over all of it decides."""

import pytest
from helpers.clients import Client
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.serving.detection import sample

ENGLISH = "The committee will publish its report on the future of the railways in the coming weeks.\n"
ITALIAN = "Il comitato pubblicherà nelle prossime settimane la sua relazione sul futuro delle ferrovie.\n"
GERMAN = "Der Ausschuss wird in den nächsten Wochen seinen Bericht über die Zukunft der Bahn vorlegen.\n"


@pytest.fixture(scope="module")
def client(run):
    client = Client(run)
    yield client
    client.app.state.api.documents.close()


def uploaded(client, text, name="a.txt"):
    upload = {"data": {"source": "auto", "target": "it"}, "files": {"file": (name, text)}}
    return client(("POST", "/translate_file", upload))


def translated(client, text, name="a.txt"):
    response = uploaded(client, text, name)
    assert response.status_code == 200, response.text
    return client(("GET", response.json()["translatedFileUrl"])).text


def mixed(first, then):
    """Five paragraphs in one language and sixty, all different, in another."""
    return "".join([f"{first}\n"] * 5 + [f"{number} {then}\n" for number in range(60)])


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_the_first_lines_alone_do_not_decide(client, name):
    assert "committee" not in translated(client, mixed(ITALIAN, ENGLISH), name)
    foreign = mixed(ENGLISH, ITALIAN)
    assert translated(client, foreign, name) == foreign, "it is in the target language already"
    german = uploaded(client, mixed(ENGLISH, GERMAN), name)
    assert german.status_code == 400 and german.json() == {"error": "German (de) is not supported"}


def test_front_matter_does_not_decide(client):
    head = "---\ntitle: Relazione sul futuro delle ferrovie italiane\ndescription: Il comitato e le ferrovie\n---\n\n"
    assert "committee" not in translated(client, head + ENGLISH * 5, "a.md")


def test_a_document_without_letters_stays(client):
    assert translated(client, "1\n2\n") == "1\n2\n"


@given(st.text(max_size=20_000))
@settings(max_examples=example_count(100), deadline=None)
def test_a_sample_is_of_the_text_and_bounded(text):
    part = sample(text)
    assert len(part) <= 2000 and set(part) <= {*text, " "}
    assert sample(part) == part and (len(text) > 2000 or part == text)


@given(st.integers(0, 190), st.integers(0, 10))
@settings(max_examples=50, deadline=None)
def test_a_sample_holds_both_ends_and_the_middle(place, count):
    """Where a passage in another language stands changes nothing of what most of a sample is."""
    lines = ["alpha beta gamma delta\n"] * 200
    lines[place : place + count] = ["omega omega omega omega\n"] * min(count, 200 - place)
    words = sample("".join(lines)).split()
    assert words.count("omega") < len(words) / 3
