"""Translations in JSON, in lists, and beside their source; and what servers send around translations."""

import gzip
import json
import zlib
from dataclasses import asdict

import pytest
from helpers.examples import example_count
from hypothesis import given, settings
from hypothesis import strategies as st

from distilmt.config import EndpointConfig
from distilmt.teachers import endpoint
from distilmt.teachers.completions import clean_output
from distilmt.teachers.remote import RemoteTeacher

SOURCE = "The red car stands here."
FORMS = [
    '{{"translation": {0}}}',
    '```json\n{{"translation": {0}}}\n```',
    '{{"source": "The red car stands here.", "Italian": {0}}}',
    '{{"translations": [{0}, "altro"]}}',
    '{{"result": {{"text": {0}}}}}',
    "[{0}]",
    '[{{"translation": {0}}}]',
    "1. {1}",
    "1) {1}\n2) altro\n3) ancora",
    "- {1}\n- altro",
    "1. {1}\n2. altro\n\nBoth are fine.",
    "- {1}\n- altro\nEntrambe vanno bene.",
    "1. {1}\n\nThat is all.",
    "Here are two:\n\n1. **{1}**\n2. **altro**\n\nI prefer the first.",
    "* {1}\n* altro",
    "The red car stands here. → {1}",
    "the red car stands here. -> {1}",
    "The red car stands here.\n{1}",
    '"The red car stands here."\n\n{1}',
]


@pytest.mark.parametrize("form", FORMS)
@given(st.lists(st.sampled_from(["macchina", "è", "rossa,", "qui", "l'auto"]), min_size=1, max_size=5).map(" ".join))
@settings(max_examples=15, deadline=None)
def test_what_encloses_a_translation_is_left_out(form, translation):
    response = form.format(json.dumps(translation), translation)
    assert clean_output(response, SOURCE, "Italian").text == translation


@pytest.mark.parametrize(
    "source, response",
    [
        ('{"name": "car"}', '{"name": "auto"}'),
        ("[note] a car", "[nota] un'auto"),
        ("1. A car", "1. Un'auto"),
        ("- A car", "- Un'auto"),
        ("The first of May is free.", "1. Mai ist frei."),
        ("May 1 is free.", "1. Mai ist frei."),
        ("The 3rd of May", "3. Mai"),
        ("x -> y", "x -> y"),
        ("go", "vai -> qui"),
        ("a car", "{nome} un'auto"),
        ("a car", "[un'auto"),
        ("Yes.", "— Sì."),
        ("Yes.", "- Sì."),
    ],
)
def test_what_belongs_to_a_translation_stays(source, response):
    assert clean_output(response, source, "German").text == response


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=example_count(300), deadline=None)
def test_nothing_breaks_it_and_all_can_be_written(response, source):
    for text in (
        response,
        json.dumps({"a": response}),
        f"1. {response}",
        f"{source} → {response}",
        f"{source}\n{response}",
    ):
        line = clean_output(text, source, "Italian").text
        assert "\n" not in line and "\0" not in line and line.encode() is not None
    assert clean_output("\ud83dciao\udc00 \0", source).text.encode() is not None


def response_of(content="ciao", **more):
    return {"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]} | more


def packed(encoding):
    compress = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": lambda data: zlib.compress(data)[2:-4]}[
        encoding
    ]
    headers = {"Content-Encoding": "deflate" if encoding == "raw" else encoding}
    return lambda path, body: (200, compress(json.dumps(response_of()).encode()), headers)


def newer_and_packed(path, body):
    if "max_tokens" not in body:
        return 200, response_of()
    error = {"error": {"message": "Unsupported parameter: 'max_tokens'", "param": "max_tokens"}}
    return 400, gzip.compress(json.dumps(error).encode()), {"Content-Encoding": "gzip"}


def chunks(*texts):
    events = [{"choices": [{"delta": {"content": text}}]} for text in texts]
    events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n" for event in events]
    return lambda path, body: (200, "".join([": ping\r\n\r\n", *lines, "data: [DONE]\r\n\r\n"]).encode())


GOOD = {
    "gzip": packed("gzip"),
    "deflate": packed("deflate"),
    "raw deflate": packed("raw"),
    "an error in gzip": newer_and_packed,
    "a byte order mark": lambda path, body: (200, b"\xef\xbb\xbf" + json.dumps(response_of()).encode()),
    "chunks with odd line ends in them": chunks("\u2028ci", "ao\u0085"),
    "tokens that are no numbers": lambda path, body: (
        200,
        response_of(usage={"prompt_tokens": "x", "completion_tokens": {}}),
    ),
    "a list as usage": lambda path, body: (200, response_of(usage=[1])),
    "half a character": lambda path, body: (200, b'{"choices":[{"message":{"content":"ciao \\ud83d"}}]}'),
    "a null character": lambda path, body: (200, response_of("ci\0ao")),
    "a delta without a stream": lambda path, body: (200, {"choices": [{"delta": {"content": "ciao"}}]}),
}
WITHOUT = {
    "no choices": ({"choices": []}, "empty"),
    "choices that are null": ({"choices": None}, "empty"),
    "a filter without a message": ({"choices": [{"index": 0, "finish_reason": "content_filter"}]}, "declined"),
    "a message that is null": ({"choices": [{"message": None, "finish_reason": "stop"}]}, "empty"),
    "a tool": (
        {"choices": [{"message": {"content": None, "tool_calls": [{}]}, "finish_reason": "tool_calls"}]},
        "empty",
    ),
    "cut off without content": ({"choices": [{"message": {"role": "a"}, "finish_reason": "length"}]}, "cut_off"),
}


def teacher(server, **settings):
    facts = {"kind": "openai", "name": "m", "url": server.url + "/v1", "source": "en", "target": "it", "request": {}}
    return RemoteTeacher(
        facts | {"endpoint": asdict(EndpointConfig(model="m", **{"max_retries": 0, "timeout": 10} | settings))}
    )


@pytest.mark.parametrize("name", GOOD)
def test_servers_of_all_kinds_are_understood(server, name):
    server.response = GOOD[name]
    assert teacher(server).translate(["hello", "you"]) == ["ciao", "ciao"]


@pytest.mark.parametrize("name", WITHOUT)
def test_an_response_without_a_translation_costs_its_sentence_alone(server, name):
    response, issue = WITHOUT[name]
    server.response = lambda path, body: (200, response if "bad" in body["messages"][0]["content"] else response_of())
    requests = teacher(server)
    assert requests.translate(["bad", "good"]) == ["", "ciao"] and requests.backend.issues == {issue: 1}


@pytest.mark.parametrize("status, headers", [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0.01"}), (503, {})])
def test_bursts_of_refusals_pass(server, status, headers, monkeypatch):
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SECONDS", 0.01)
    server.response = lambda path, body: (
        (200, response_of()) if len(server.requests) > 5 else (status, {"error": {"message": "Loading model"}}, headers)
    )
    assert teacher(server, max_retries=8).translate(["hello", "you", "all"]) == ["ciao"] * 3


def test_an_response_that_unpacks_without_end_is_one_line(server, monkeypatch):
    monkeypatch.setattr(endpoint, "MAX_RESPONSE_BYTES", 100_000)
    server.response = lambda path, body: (200, gzip.compress(b" " * 10_000_000), {"Content-Encoding": "gzip"})
    with pytest.raises(endpoint.UserError, match="failed 1 times"):
        teacher(server).translate(["hello"])


def test_a_packing_that_nobody_reads_is_named(server):
    server.response = lambda path, body: (200, b"\x1b\x05", {"Content-Encoding": "br"})
    with pytest.raises(endpoint.UserError, match="unsupported content encoding br"):
        teacher(server).translate(["hello"])
