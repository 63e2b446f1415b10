"""A language model behind OpenAI's API: what is requested, what goes wrong, what it costs."""

import email.utils
import json
from dataclasses import asdict

import pytest
from helpers.openai import output_of, teacher, upper

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.inference.base import DecodingOptions
from distilmt.teachers import endpoint
from distilmt.teachers.remote import RemoteTeacher
from distilmt.utils.errors import UserError


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SECONDS", 0.001)


def test_it_is_requested_each_text_once_and_in_the_languages_names(server):
    server.response = upper
    assert teacher(server).translate(["one {text}", "", "two", "one {text}"]) == ["ONE {TEXT}", "", "TWO", "ONE {TEXT}"]
    assert len(server.requests) == 2
    path, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert body["model"] == "big" and body["temperature"] == 0 and "n" not in body
    assert "from English to Italian" in body["messages"][0]["content"]


def test_samples_are_requested_until_there_are_enough(server):
    numbers = iter(range(100))
    server.response = lambda path, body: output_of(f"said {next(numbers)}")  # one choice, whatever n is
    result = teacher(server, max_concurrency=1).hypotheses(
        ["a"], DecodingOptions(num_hypotheses=3, sampling_temperature=0.7)
    )
    assert [each.text for each in result[0]] == ["said 0", "said 1", "said 2"]
    assert [body.get("n") for _, body in server.requests] == [3, 2, None]
    assert {body["temperature"] for _, body in server.requests} == {0.7}


def test_thoughts_and_line_feeds_are_left_out_and_cut_responses_are_not_used(server):
    server.response = lambda path, body: output_of("<think>hm\nhm</think>\n ciao \n mondo ")
    assert teacher(server).translate(["hello world"]) == ["ciao mondo"]
    server.response = lambda path, body: output_of("ciao mon", reason="length")
    assert teacher(server).hypotheses(["hello world"]) == [[]]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_what_fails_in_passing_is_requested_again(server, status):
    times = iter(range(100))
    server.response = lambda *requests: (
        upper(*requests) if next(times) > 2 else (status, {"error": {"message": "busy"}})
    )
    assert teacher(server).translate(["a"]) == ["A"]
    assert len(server.requests) == 4


def test_a_server_may_state_how_long_to_wait(server, monkeypatch):
    rests = []
    monkeypatch.setattr("threading.Event.wait", lambda self, timeout=None: rests.append(timeout) and False)
    times = iter(range(100))
    server.response = lambda *requests: upper(*requests) if next(times) else (429, {}, {"Retry-After": "17"})
    assert teacher(server, max_concurrency=1).translate(["a"]) == ["A"]
    assert 17.0 in rests


def test_half_an_response_is_requested_again(server):
    times = iter(range(100))
    server.response = lambda *requests: upper(*requests) if next(times) else (200, b'{"choices": [')
    assert teacher(server).translate(["a"]) == ["A"]


def test_it_gives_up_in_one_line(server):
    server.response = lambda path, body: (503, {"error": "overloaded\nvery"})
    with pytest.raises(UserError, match=r"failed 3 times \(status 503: overloaded very\).*repeat the command") as error:
        teacher(server, max_retries=2).translate(["a"])
    assert "\n" not in str(error.value)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(UserError, match="check that it runs"):
        teacher(server, max_retries=1).translate(["a"])


def test_a_wrong_key_or_model_is_reported_at_once(server):
    server.response = lambda path, body: (401, {"error": {"message": "no such key"}})
    with pytest.raises(UserError, match="status 401: no such key"):
        teacher(server).translate(["a"])
    assert len(server.requests) == 1
    server.response = lambda path, body: (400, {"error": {"message": "no model 'big'"}})
    with pytest.raises(UserError, match=r"rejects requests .*no model 'big'"):
        teacher(server).translate(["a"])
    server.response = lambda path, body: (200, {"hello": 1})
    with pytest.raises(UserError, match="did not return an OpenAI-style response"):
        teacher(server).translate(["a"])


def test_a_refused_sentence_is_left_out_when_others_are_served(server):
    server.response = lambda *requests: (400, {"error": "filtered"}) if "bad" in str(requests) else upper(*requests)
    translator = teacher(server, max_concurrency=1)
    assert translator.translate(["good", "bad", "fine"]) == ["GOOD", "", "FINE"]
    assert translator.backend.usage()["refused"] == 1


def test_responses_are_stored_and_paid_once(server, tmp_path):
    server.response = upper
    file, prices = tmp_path / "responses.sqlite", {"input_price": 2.0, "output_price": 10.0}
    first = teacher(server, file, **prices)
    assert first.translate(["a", "b"]) == ["A", "B"]
    second = teacher(server, file, **prices)
    assert second.translate(["b", "a", "c"]) == ["B", "A", "C"]
    assert len(server.requests) == 3
    consumption = second.cache.usage()
    assert consumption["prompt_tokens"] == 21 and consumption["completion_tokens"] == 9
    assert consumption["cost"] == pytest.approx(3 * (7 * 2 + 3 * 10) / 1e6)


def test_no_more_is_consumed_than_allowed(server, tmp_path):
    server.response = upper
    settings = {"output_price": 1e6, "budget": 6.0, "max_concurrency": 1}
    with pytest.raises(UserError, match="budget of 6 is used up"):
        teacher(server, tmp_path / "a.sqlite", **settings).translate(["a", "b", "c"])
    assert len(server.requests) == 2
    with pytest.raises(UserError, match="is used up"):  # what an earlier process spent counts
        teacher(server, tmp_path / "a.sqlite", **settings).translate(["d"])
    assert teacher(server, tmp_path / "a.sqlite", **settings).translate(["a"]) == ["A"]


def test_the_key_is_sent_and_written_nowhere(server, tmp_path, monkeypatch):
    server.response = upper
    with pytest.raises(UserError, match="api_key_env is SECRET, which is not set"):
        teacher(server, api_key_env="SECRET")
    monkeypatch.setenv("SECRET", "s3cret")
    teacher(server, tmp_path / "a.sqlite", api_key_env="SECRET").translate(["a"])
    assert server.headers[0]["Authorization"] == "Bearer s3cret"
    assert all(b"s3cret" not in file.read_bytes() for file in tmp_path.iterdir())


def test_no_more_requests_a_minute_than_allowed(server, monkeypatch):
    """At a moment at which the clock stands, the fifth request must wait for four tenths of a second."""
    waits = []
    monkeypatch.setattr("threading.Event.wait", lambda self, timeout=None: waits.append(timeout) and False)
    monkeypatch.setattr(endpoint.time, "monotonic", lambda: 0.0)
    server.response = upper
    assert teacher(server, requests_per_minute=600, max_concurrency=1).translate(list("abcde")) == list("ABCDE")
    # Threads of earlier tests wait too, for seconds.
    assert [wait for wait in waits if wait is not None and wait < 1] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_configuration_must_make_sense():
    with pytest.raises(UserError, match=r"without teacher\.endpoint\.model"):
        TeacherConfig(url="http://x/v1")
    with pytest.raises(UserError, match=r"no \{text\}"):
        TeacherConfig(url="http://x/v1", endpoint=EndpointConfig(model="m", prompt="Translate!"))
    with pytest.raises(UserError, match=r"teacher\.path and teacher\.url are both set"):
        TeacherConfig(path="x", url="http://x/v1")


def chunks(*texts, end=True):
    events = [{"choices": [{"delta": {"content": text}}]} for text in texts]
    events += [{"choices": [{"delta": {}, "finish_reason": "stop"}]}] if end else []
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + (
        b"data: [DONE]\n\n" if end else b""
    )


def test_a_stream_of_events_is_put_together(server):
    times = iter(range(9))
    server.response = lambda path, body: (200, chunks("ciao ", "mondo", end=bool(next(times))))  # first cut off
    assert teacher(server).translate(["hello world"]) == ["ciao mondo"]
    assert len(server.requests) == 2


def test_responses_that_are_no_translation_are_counted_and_preserved(server, tmp_path, messages):
    responses = {"a": "<think>on", "b": "I cannot translate this.", "c": "", "d": "Translation: D", "e": "E"}
    server.response = lambda path, body: output_of(responses[body["messages"][0]["content"][-1]])
    translator = teacher(server, tmp_path / "a.sqlite", max_concurrency=1)
    assert translator.translate(list("abcde")) == ["", "", "", "D", "E"]
    consumption = translator.cache.usage()
    assert {key: consumption[key] for key in ("unfinished_thoughts", "declined", "empty", "cleaned")} == dict.fromkeys(
        ("unfinished_thoughts", "declined", "empty", "cleaned"), 1
    )
    assert len(messages) == 4
    assert teacher(server, tmp_path / "a.sqlite").translate(list("abcde")) == ["", "", "", "D", "E"]
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "file:///etc/passwd", "http://", "http://a b/v1", "http://x:y/v1"]
)
def test_addresses_that_are_none_are_reported_at_once(url):
    facts = {"kind": "openai", "name": "m", "url": url, "source": "en", "target": "it", "request": {}}
    with pytest.raises(UserError, match="is not a valid URL"):
        RemoteTeacher(facts | {"endpoint": asdict(EndpointConfig(model="m"))}).translate(["a"])


@pytest.mark.parametrize("value, least, most", [("2.5", 2.5, 2.5), ("soon", 0, 1), ("nan", 0, 1), ("-3", 0, 0)])
def test_retry_after_in_all_its_forms(value, least, most, monkeypatch):
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SECONDS", 0.5)
    waits = []
    server = endpoint.Endpoint(asdict(EndpointConfig(model="m")))
    monkeypatch.setattr(server.stop, "wait", lambda timeout: waits.append(timeout) and False)
    server.wait_before_retry(0, value)
    assert least <= waits[0] <= most


def test_retry_after_may_be_a_date(monkeypatch):
    monkeypatch.setattr(endpoint.time, "time", lambda: 1_800_000_000.0)
    assert endpoint.retry_after_seconds(email.utils.formatdate(1_800_000_060, usegmt=True)) == 60
