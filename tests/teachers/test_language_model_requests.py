"""What a language model is sent: system message, examples, numbered lines; and what scores it returns."""

import pytest
from helpers.language_model import SENTENCES, LanguageModel
from helpers.openai import output_of, teacher
from hypothesis import given
from hypothesis import strategies as st

from distilmt.config import EndpointConfig, TeacherConfig
from distilmt.inference.base import DecodingOptions
from distilmt.teachers.few_shot import choose_examples
from distilmt.teachers.numbered_lines import are_confused, numbered, parse_lines
from distilmt.teachers.scored_text import mean_logprob
from distilmt.utils.errors import UserError

ALL = list(SENTENCES)


def test_a_system_message_and_examples_stand_before_the_request(server):
    server.response = LanguageModel()
    settings = {"system": "You translate from {source_name} to {target_name}.", "prompt": "Now:\n\n{text}"}
    model = teacher(server, **settings)
    assert model.translate(ALL[:1]) == [SENTENCES[ALL[0]]]
    messages = server.requests[0][1]["messages"]
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["content"] == "You translate from English to Italian."


def test_by_default_there_is_no_system_message(server):
    server.response = LanguageModel()
    teacher(server).translate(ALL[:1])
    assert [message["role"] for message in server.requests[0][1]["messages"]] == ["user"]


def test_lines_have_one_request_and_each_its_own_translation(server):
    server.response = LanguageModel()
    assert teacher(server, lines_per_request=20).translate(ALL) == list(SENTENCES.values())
    assert len(server.requests) == 3
    _, body = server.requests[0]
    assert body["max_tokens"] == 20 * 512 and body["messages"][0]["content"].startswith(
        "Translate each of the following 20"
    )


def response_to_lines(change):
    """A model that treats several lines with `change`, a function of the translations."""
    model = LanguageModel()

    def response(path, body):
        whole = model(path, body)
        content = whole[1]["choices"][0]["message"]["content"]
        return output_of(change(content.split("\n"))) if content.startswith("1. ") else whole

    return response


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: "\n".join(lines[:-1]),
        lambda lines: "\n".join([*lines, "11. Ciao."]),
        lambda lines: "\n".join(lines[::-1]),
        lambda lines: "\n".join([lines[0], *lines]),
        lambda lines: "\n".join(line.partition(" ")[2] for line in lines),
        lambda lines: " ".join(lines),
        lambda lines: "\n".join(f"{number}. {lines[0].partition(' ')[2]}" for number, _ in enumerate(lines, 1)),
        lambda lines: "\n".join([*lines[:3], "a line of its own", *lines[3:]]),
        lambda lines: "",
    ],
)
def test_lines_whose_numbers_do_not_match_are_requested_one_by_one(server, change):
    server.response = response_to_lines(change)
    model = teacher(server, lines_per_request=10)
    assert model.translate(ALL[:10]) == list(SENTENCES.values())[:10]
    assert len(server.requests) == 11 and model.backend.issues == {"mismatched": 1}


def test_what_stands_around_the_lines_is_left_out(server):
    server.response = response_to_lines(
        lambda lines: "\n".join(["<think>1. no</think>Here:", "", "```", *lines, "```"])
    )
    assert teacher(server, lines_per_request=10).translate(ALL[:10]) == list(SENTENCES.values())[:10]
    assert len(server.requests) == 1


def test_a_line_with_a_fault_is_requested_alone(server):
    server.response = response_to_lines(lambda lines: "\n".join([*lines[:2], f"3. {ALL[2]}", *lines[3:]]))
    model = teacher(server, lines_per_request=10)
    assert model.translate(ALL[:10]) == list(SENTENCES.values())[:10]
    assert len(server.requests) == 2 and model.backend.issues == {"copied": 1}


def test_a_response_to_lines_that_is_cut_off_is_not_used(server):
    model = LanguageModel()

    def response(path, body):
        whole = model(path, body)
        whole[1]["choices"][0]["finish_reason"] = "length" if "1. The" in str(body) else "stop"
        return whole

    server.response = response
    teacher_model = teacher(server, lines_per_request=10)
    assert teacher_model.translate(ALL[:10]) == list(SENTENCES.values())[:10]
    assert teacher_model.backend.issues == {"cut_off": 1}


def test_a_rejected_line_costs_itself_alone(server):
    model = LanguageModel()
    server.response = lambda path, body: (400, {"error": "filtered"}) if ALL[4] in str(body) else model(path, body)
    translations = teacher(server, lines_per_request=10, max_concurrency=1).translate(ALL[:20])
    assert translations == ["" if source == ALL[4] else SENTENCES[source] for source in ALL[:20]]


@given(st.lists(st.text(st.sampled_from("abc 1.-"), min_size=1).map(str.split).map(" ".join).filter(bool), max_size=9))
def test_lines_come_back_as_they_are(texts):
    assert parse_lines(numbered(texts), len(texts)) == texts


def test_confused_lines_are_recognized_by_their_numbers():
    sources = ["It has 3 doors.", "It has 5 doors.", "It is red."]
    assert not are_confused(sources, ["Ha 3 porte.", "Ha 5 porte.", "È rossa."])
    assert are_confused(sources, ["Ha 5 porte.", "È rossa.", "Ha 3 porte."])
    assert not are_confused(["Yes.", "Yes!"], ["Sì.", "Sì."])


def with_logprobs(*samples):
    choices = [
        {
            "message": {"content": "".join(token for token, _ in tokens)},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": token, "logprob": value} for token, value in tokens]},
        }
        for tokens in samples
    ]
    return 200, {"choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


def test_the_score_is_the_mean_log_probability_of_the_translation_and_is_stored(server, tmp_path):
    samples = [[("<think>hm", -9.0), ("</think>", -9.0), ("ciao", -1.0), (" mondo", -3.0)], [("salve", -0.5)]]
    server.response = lambda path, body: with_logprobs(*samples)
    options, file = DecodingOptions(num_hypotheses=2, sampling_temperature=0.7), tmp_path / "r.sqlite"
    for _ in range(2):
        hypotheses = teacher(server, file, logprobs=True).hypotheses(["hello"], options)[0]
        assert [(each.text, each.score) for each in hypotheses] == [("ciao mondo", -2.0), ("salve", -0.5)]
    assert len(server.requests) == 1 and server.requests[0][1]["logprobs"] is True


def test_without_log_probabilities_the_score_is_zero(server):
    server.response = LanguageModel()
    assert teacher(server, logprobs=True).hypotheses(ALL[:1])[0][0].score == 0.0
    assert mean_logprob({"logprobs": {"content": [{"token": 5}, None]}}, "ciao") == 0.0
    assert mean_logprob({"logprobs": {"content": [{"token": "x", "logprob": -2}]}}, "ciao") == -2.0


def test_examples_are_ordinary_pairs_and_the_same_ones_for_a_seed():
    sources, targets = [*ALL, "Hi", "x" * 500], [*SENTENCES.values(), "Ciao", "y" * 500]
    chosen = choose_examples(sources, targets, 5, (1, 2))
    assert chosen == choose_examples(sources, targets, 5, (1, 2)) and len(set(chosen)) == 5
    assert all(SENTENCES[source] == target for source, target in chosen)
    with pytest.raises(UserError, match="only 60 pairs"):
        choose_examples(sources, targets, 61, (1, 2))


def test_every_prompt_needs_the_text():
    with pytest.raises(UserError, match=r"lines_prompt has no \{text\}"):
        TeacherConfig(url="http://x/v1", endpoint=EndpointConfig(model="m", lines_prompt="Translate!"))
