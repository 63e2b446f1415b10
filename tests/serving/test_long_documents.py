"""Documents that take long: limits, other clients beside them, and how the server stops."""

import functools
import signal
import threading
import time

import httpx
import pytest
from helpers import toy
from helpers.clients import Client
from helpers.servers import distilmt_server

from distilmt.inference.translator import Translator

SENTENCE = toy.pairs(1, seed=5)[0][0]


def upload(text, name="a.txt"):
    return {"data": {"source": "en", "target": "it"}, "files": {"file": (name, text)}}


@functools.cache
def many(count):
    return "".join(f"{text}\n" for text in toy.pairs(count, seed=3)[0])


def test_what_a_document_may_take_is_bounded(run):
    few = Client(run, document_chars=100)
    response = few(("POST", "/translate_file", upload(many(50))))
    assert response.status_code == 413 and "more than 100 characters" in response.json()["error"]
    assert few(("POST", "/translate_file", upload(SENTENCE))).status_code == 200
    short = Client(run, document_seconds=0.3)
    response = short(("POST", "/translate_file", upload(many(20_000))))
    assert response.status_code == 413 and "longer than 0.3 seconds" in response.json()["error"]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_long_document_does_not_keep_the_server(run, stop):
    with distilmt_server(run, "--threads", "1") as (process, port):
        responses, text = [], many(40_000)

        def send():
            responses.append(httpx.post(f"http://127.0.0.1:{port}/translate_file", **upload(text), timeout=60))

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(1)
        process.send_signal(stop)
        assert process.wait(60) == 0
        sender.join(30)
        log = process.stderr.read().decode()
    assert responses[0].status_code == 503 and "stopping" in responses[0].json()["error"]
    assert "Traceback" not in log


def test_others_are_served_next_to_hostile_documents(run, exported_model):
    """Pages of a megabyte without a text: reading them takes a core, but not the server's own."""
    page = "<p " + " ".join(f'a{i}="x"' for i in range(60_000)) + ">" + "<b>" * 20_000 + f"{SENTENCE}</p>"
    expected = Translator(exported_model).translate([SENTENCE])[0]
    with distilmt_server(run, "--threads", "1", "--document_seconds", "6") as (_, port), httpx.Client() as client:
        statuses = []

        def send():
            response = httpx.post(f"http://127.0.0.1:{port}/translate_file", **upload(page, "a.html"), timeout=60)
            statuses.append(response.status_code)

        senders = [threading.Thread(target=send) for _ in range(3)]
        for sender in senders:
            sender.start()
        served = 0
        while any(sender.is_alive() for sender in senders):
            body = {"q": SENTENCE, "source": "en", "target": "it"}
            response = client.post(f"http://127.0.0.1:{port}/translate", json=body, timeout=30)
            assert response.json() == {"translatedText": expected}
            served += 1
            time.sleep(0.02)
    assert set(statuses) <= {200, 400, 413}
    assert served > 2 * len(senders), "a server that reads a document serves nobody until it has read it"


def test_placeholders_and_code_stay_in_texts(run):
    client = Client(run)
    for text in ("{name} der `ls -l` ban.", "der %s ban %(count)d xyz.", "ban ${PATH} der."):
        remaining = [word for word in ("{name}", "`ls -l`", "%s", "%(count)d", "${PATH}") if word in text]
        result = client.post("/translate", q=[text, SENTENCE], source="en", target="it", details=True).json()
        assert all(word in result["translatedText"][0] for word in remaining), result
        assert result["details"][0] and result["details"][1]
