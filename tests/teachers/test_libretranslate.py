"""A server with LibreTranslate's API as teacher."""

from dataclasses import asdict

import pytest

from distilmt.config import EndpointConfig
from distilmt.inference.base import DecodingOptions
from distilmt.teachers.remote import RemoteTeacher
from distilmt.utils.errors import UserError


def teacher(server, **settings):
    facts = {"kind": "libretranslate", "name": server.url, "url": server.url, "source": "en", "target": "it"}
    return RemoteTeacher(facts | {"endpoint": asdict(EndpointConfig(**settings))})


def upper(path, body):
    result = {"translatedText": [text.upper() for text in body["q"]]}
    if "alternatives" in body:
        result["alternatives"] = [[text.title()] * body["alternatives"] for text in body["q"]]
    return 200, result


def test_sentences_are_requested_together_and_come_back_in_order(server):
    server.response = upper
    texts = [f"sentence {n}" for n in range(40)]
    assert teacher(server).translate(texts) == [text.upper() for text in texts]
    assert sorted(len(body["q"]) for _, body in server.requests) == [8, 16, 16]
    path, body = server.requests[0]
    assert path == "/translate" and (body["source"], body["target"], body["format"]) == ("en", "it", "text")
    assert "alternatives" not in body and "api_key" not in body


def test_alternatives_are_hypotheses(server):
    server.response = upper
    result = teacher(server).hypotheses(["good day", "x"], DecodingOptions(num_hypotheses=3))
    assert [[each.text for each in row] for row in result] == [["GOOD DAY", "Good Day"], ["X"]]


def test_the_key_goes_into_the_body(server, monkeypatch):
    server.response = upper
    monkeypatch.setenv("LIBRE", "abc")
    teacher(server, api_key_env="LIBRE").translate(["a"])
    assert server.requests[0][1]["api_key"] == "abc"


def test_refusals_and_nonsense_are_reported(server):
    server.response = lambda path, body: (400, {"error": "xx is not supported"})
    with pytest.raises(UserError, match="xx is not supported"):
        teacher(server).translate(["a"])
    server.response = lambda path, body: (200, {"translatedText": ["only one"]})
    with pytest.raises(UserError, match="did not return a LibreTranslate-style response"):
        teacher(server).translate(["a", "b"])
    server.response = lambda path, body: (200, ["?"])
    with pytest.raises(UserError, match="did not return a LibreTranslate-style response"):
        teacher(server).translate(["a"])


def test_a_sentence_the_server_refuses_gets_none(server):
    too_long = (400, {"error": "Invalid request: request (5321) exceeds text limit (5000)"})
    server.response = lambda path, body: too_long if "bad" in str(body["q"]) else upper(path, body)
    model = teacher(server, max_concurrency=1)
    texts = ["bad", *(f"text {n}" for n in range(20)), "bad 2"]
    assert model.translate(texts) == ["" if "bad" in text else text.upper() for text in texts]
    assert model.backend.usage()["refused"] == 2


def test_a_server_may_take_one_text_at_a_time(server):
    def one(path, body):
        single = body["q"] if isinstance(body["q"], str) else "\n".join(body["q"])
        return 200, {"translatedText": single.upper()}

    server.response = one
    assert teacher(server).translate(["a", "b", "c"]) == ["A", "B", "C"]


@pytest.mark.parametrize("response", [b"<!DOCTYPE html><title>Hi</title>", b"{}", b'{"translatedText": [null]}', b"3"])
def test_odd_responses_end_in_one_line(server, response):
    server.response = lambda path, body: (200, response)
    with pytest.raises(UserError, match=r"check teacher\.url"):
        teacher(server, max_retries=0).translate(["a"])
