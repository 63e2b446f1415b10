"""A language model behind OpenAI's API: what it is asked, what goes wrong, what it costs."""

from dataclasses import asdict

import pytest

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.errors import UserError
from distilmt.teachers import endpoint
from distilmt.teachers.outside import Outside


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(endpoint, "_FIRST_WAIT", 0.001)


def teacher(server, answers=None, **settings):
    about = asdict(EndpointConfig(model="big", **settings))
    facts = {"kind": "openai", "name": "big", "url": server.url + "/v1", "source": "en", "target": "it"}
    return Outside(facts | {"endpoint": about, "asked": {}}, answers)


def says(*texts, tokens=(7, 3), reason="stop"):
    choices = [{"message": {"content": text}, "finish_reason": reason} for text in texts]
    return 200, {"choices": choices, "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}}


def upper(path, body):
    return says(*[body["messages"][0]["content"].split("\n")[-1].upper()] * body.get("n", 1))


def test_it_is_asked_for_each_text_once_and_in_the_languages_names(server):
    server.answer = upper
    assert teacher(server).translate(["one {text}", "", "two", "one {text}"]) == ["ONE {TEXT}", "", "TWO", "ONE {TEXT}"]
    assert len(server.asked) == 2
    path, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert body["model"] == "big" and body["temperature"] == 0 and "n" not in body
    assert "from English to Italian" in body["messages"][0]["content"]


def test_samples_are_asked_for_until_there_are_enough(server):
    numbers = iter(range(100))
    server.answer = lambda path, body: says(f"said {next(numbers)}")  # one choice, whatever n is
    found = teacher(server, concurrent=1).hypotheses(["a"], count=3, sampling=0.7)
    assert [each.text for each in found[0]] == ["said 0", "said 1", "said 2"]
    assert [body.get("n") for _, body in server.asked] == [3, 2, None]
    assert {body["temperature"] for _, body in server.asked} == {0.7}


def test_thoughts_and_line_feeds_are_left_out_and_cut_answers_are_not_used(server):
    server.answer = lambda path, body: says("<think>hm\nhm</think>\n ciao \n mondo ")
    assert teacher(server).translate(["hello world"]) == ["ciao mondo"]
    server.answer = lambda path, body: says("ciao mon", reason="length")
    assert teacher(server).hypotheses(["hello world"]) == [[]]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_what_fails_in_passing_is_asked_again(server, status):
    times = iter(range(100))
    server.answer = lambda *asked: upper(*asked) if next(times) > 2 else (status, {"error": {"message": "busy"}})
    assert teacher(server).translate(["a"]) == ["A"]
    assert len(server.asked) == 4


def test_a_server_may_say_how_long_to_wait(server, monkeypatch):
    rests = []
    monkeypatch.setattr("threading.Event.wait", lambda self, timeout=None: rests.append(timeout) and False)
    times = iter(range(100))
    server.answer = lambda *asked: upper(*asked) if next(times) else (429, {}, {"Retry-After": "17"})
    assert teacher(server, concurrent=1).translate(["a"]) == ["A"]
    assert 17.0 in rests


def test_half_an_answer_is_asked_for_again(server):
    times = iter(range(100))
    server.answer = lambda *asked: upper(*asked) if next(times) else (200, b'{"choices": [')
    assert teacher(server).translate(["a"]) == ["A"]


def test_it_gives_up_in_one_line(server):
    server.answer = lambda path, body: (503, {"error": "overloaded\nvery"})
    with pytest.raises(UserError, match=r"failed 3 times \(status 503: overloaded very\).*goes on") as error:
        teacher(server, retries=2).translate(["a"])
    assert "\n" not in str(error.value)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(UserError, match="see that it runs"):
        teacher(server, retries=1).translate(["a"])


def test_a_wrong_key_or_model_is_told_at_once(server):
    server.answer = lambda path, body: (401, {"error": {"message": "no such key"}})
    with pytest.raises(UserError, match="status 401: no such key"):
        teacher(server).translate(["a"])
    assert len(server.asked) == 1
    server.answer = lambda path, body: (400, {"error": {"message": "no model 'big'"}})
    with pytest.raises(UserError, match=r"refuses .*no model 'big'"):
        teacher(server).translate(["a"])
    server.answer = lambda path, body: (200, {"hello": 1})
    with pytest.raises(UserError, match="answers otherwise than OpenAI"):
        teacher(server).translate(["a"])


def test_a_refused_sentence_is_left_out_when_others_are_answered(server):
    server.answer = lambda *asked: (400, {"error": "filtered"}) if "bad" in str(asked) else upper(*asked)
    speaker = teacher(server, concurrent=1)
    assert speaker.translate(["good", "bad", "fine"]) == ["GOOD", "", "FINE"]
    assert speaker.source.spent()["refused"] == 1


def test_answers_are_kept_and_paid_once(server, tmp_path):
    server.answer = upper
    file, prices = tmp_path / "answers.sqlite", {"price_in": 2.0, "price_out": 10.0}
    first = teacher(server, file, **prices)
    assert first.translate(["a", "b"]) == ["A", "B"]
    second = teacher(server, file, **prices)
    assert second.translate(["b", "a", "c"]) == ["B", "A", "C"]
    assert len(server.asked) == 3
    spent = second.answers.spent()
    assert spent["prompt_tokens"] == 21 and spent["answer_tokens"] == 9
    assert spent["money"] == pytest.approx(3 * (7 * 2 + 3 * 10) / 1e6)


def test_no_more_is_spent_than_allowed(server, tmp_path):
    server.answer = upper
    settings = {"price_out": 1e6, "spend": 6.0, "concurrent": 1}
    with pytest.raises(UserError, match="spend, 6, is spent"):
        teacher(server, tmp_path / "a.sqlite", **settings).translate(["a", "b", "c"])
    assert len(server.asked) == 2
    with pytest.raises(UserError, match="is spent"):  # what an earlier process spent counts
        teacher(server, tmp_path / "a.sqlite", **settings).translate(["d"])
    assert teacher(server, tmp_path / "a.sqlite", **settings).translate(["a"]) == ["A"]


def test_the_key_is_sent_and_written_nowhere(server, tmp_path, monkeypatch):
    server.answer = upper
    with pytest.raises(UserError, match="key_variable is SECRET, which is not set"):
        teacher(server, key_variable="SECRET")
    monkeypatch.setenv("SECRET", "s3cret")
    teacher(server, tmp_path / "a.sqlite", key_variable="SECRET").translate(["a"])
    assert server.headers[0]["Authorization"] == "Bearer s3cret"
    assert all(b"s3cret" not in file.read_bytes() for file in tmp_path.iterdir())


def test_no_more_requests_a_minute_than_allowed(server):
    import time

    server.answer = upper
    begin = time.monotonic()
    teacher(server, per_minute=600, concurrent=8).translate(list("abcde"))
    assert time.monotonic() - begin >= 0.4


def test_a_configuration_must_make_sense():
    with pytest.raises(UserError, match=r"without teacher\.endpoint\.model"):
        TeacherConfig(url="http://x/v1")
    with pytest.raises(UserError, match=r"no \{text\}"):
        TeacherConfig(url="http://x/v1", endpoint=EndpointConfig(model="m", prompt="Translate!"))
    with pytest.raises(UserError, match=r"teacher\.path and teacher\.url are both set"):
        TeacherConfig(path="x", url="http://x/v1")
