"""Servers that take fewer fields, stream, or fail: what is sent again, and which error names it."""

import json

import pytest
from helpers.examples import example_count
from helpers.openai import teacher, upper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.inference.base import DecodingOptions
from distilmt.teachers import endpoint
from distilmt.teachers.rejection import rejection_of
from distilmt.utils.errors import UserError


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SECONDS", 0.001)


def refusing(*names, status=400, form="openai"):
    """A server that takes none of some fields, and names them as servers do."""

    def response(path, body):
        name = next((name for name in names if name in body), None)
        if name is None:
            return upper(path, body)
        bodies = {
            "openai": {"error": {"message": f"Unsupported parameter: '{name}'", "param": name, "code": "unsupported"}},
            "message": {"error": {"message": f"`{name}` is not supported by this model."}},
            "value": {"error": {"message": f"Unsupported value: '{name}' does not support 0 with this model."}},
            "pydantic": {"detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are bad"}]},
            "plain": f"unknown field '{name}'".encode(),
            "string": {"error": f"unrecognized request argument supplied: '{name}'"},
        }
        return status, bodies[form]

    return response


@pytest.mark.parametrize("form", ["openai", "message", "value", "pydantic", "plain", "string"])
def test_max_tokens_has_a_newer_name(server, form):
    server.response = refusing("max_tokens", form=form, status=422 if form == "pydantic" else 400)
    assert teacher(server, max_concurrency=1).translate(["a", "b"]) == ["A", "B"]
    assert [set(body) & {"max_tokens", "max_completion_tokens"} for _, body in server.requests] == [
        {"max_tokens"},
        {"max_completion_tokens"},
        {"max_completion_tokens"},
    ]


@pytest.mark.parametrize("form", ["openai", "message", "value", "pydantic", "plain", "string"])
def test_what_a_server_does_not_take_is_left_out_and_reported_once(server, form, messages):
    names = ["temperature", "seed", "n", "top_p", "max_tokens", "max_completion_tokens", "stop"]
    server.response = refusing(*names, form=form)
    extra = {"seed": 1, "top_p": 0.5, "stop": ["\n"]}
    result = teacher(server, max_concurrency=1, extra=extra).hypotheses(
        ["a", "b"], DecodingOptions(num_hypotheses=2, sampling_temperature=0.5)
    )
    assert [each[0].text for each in result] == ["A", "B"]
    assert set(server.requests[-1][1]) == {"model", "messages"}
    assert sorted(line.split("'")[1] for line in messages) == sorted(set(names) - {"max_tokens"})


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(["temperature", "seed", "n", "top_p", "max_tokens", "logprobs"])), st.integers(1, 8))
def test_whatever_it_refuses_the_translation_comes(server, names, concurrent):
    server.response = refusing(*names)
    translator = teacher(server, max_concurrency=concurrent, extra={"seed": 1, "top_p": 0.5, "logprobs": True})
    assert translator.translate(["a", "b", "c"]) == ["A", "B", "C"]


def test_a_text_that_is_too_long_takes_no_field_away(server):
    def response(path, body):
        message = "'max_tokens' or 'max_completion_tokens' is too large: the maximum context length is 64"
        return (400, {"error": {"message": message}}) if "long" in str(body) else upper(path, body)

    server.response = response
    assert teacher(server, max_concurrency=1).translate(["long", "b"]) == ["", "B"]
    assert all("max_tokens" in body for _, body in server.requests)


def test_the_first_sentence_may_be_the_refused_one(server):
    server.response = lambda *requests: (400, {"error": "filtered"}) if "bad" in str(requests) else upper(*requests)
    assert teacher(server, max_concurrency=1).translate(["bad", "fine"]) == ["", "FINE"]


def test_further_fields_are_sent_and_are_part_of_who_is_requested(server, tmp_path):
    server.response = upper
    about = {"reasoning_effort": "low", "temperature": None, "chat_template_kwargs": {"enable_thinking": False}}
    teacher(server, extra=about).translate(["a"])
    body = server.requests[0][1]
    assert body["reasoning_effort"] == "low" and not body["chat_template_kwargs"]["enable_thinking"]
    assert "temperature" not in body
    with pytest.raises(UserError, match=r"extra has 'messages': set teacher\.endpoint\.prompt"):
        TeacherConfig(url="http://x/v1", endpoint=EndpointConfig(model="m", extra={"messages": []}))


@pytest.mark.parametrize(
    "response, message",
    [
        ((200, b"<html><title>Welcome</title></html>"), "a web page instead of JSON"),
        ((302, {}, {"Location": "http://elsewhere/v1"}), "redirects to http://elsewhere/v1"),
        ((308, {}, {"Location": "http://elsewhere/v1"}), "redirects to"),
        ((404, b"<html><title>Not Found</title>" + b"x" * 3000), "status 404: Not Found"),
        ((429, {"error": {"message": "pay", "code": "insufficient_quota"}}), "status 429: pay"),
        ((200, {"error": {"message": "no credits", "code": 402}}), "status 402: no credits"),
        ((200, b"[]"), "did not return an OpenAI-style response"),
        ((200, {"choices": [{"message": {"content": 5}}]}), "did not return an OpenAI-style response"),
        ((200, b"[" * 100_000), "failed 2 times"),
        ((200, b""), "an empty response"),
        ((200, b"\xff\xff"), "failed 2 times"),
        ((500, b"\xff" * 100), "failed 2 times"),
    ],
)
def test_odd_servers_end_in_one_line(server, response, message):
    server.response = lambda path, body: response
    with pytest.raises(UserError, match=message) as error:
        teacher(server, max_retries=1).translate(["a"])
    assert "\n" not in str(error.value)


def test_an_error_with_status_200_may_be_in_passing(server):
    times = iter(range(9))
    error = (200, {"error": {"message": "busy", "code": 503}})
    server.response = lambda *requests: upper(*requests) if next(times) else error
    assert teacher(server).translate(["a"]) == ["A"]


@settings(max_examples=example_count(200), deadline=None)
@given(
    st.integers(400, 599),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text(max_size=9) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["error", "detail", "message", "param", "loc", "msg", "code", "type"]), inner
            )
        ),
        max_leaves=8,
    ).map(lambda content: json.dumps(content).encode()),
)
def test_no_error_body_breaks_it(status, body):
    result = rejection_of(status, body, "reason")
    assert "\n" not in str(result)
    assert result.unsupported(["temperature", "n"]) in (None, "temperature", "n")
