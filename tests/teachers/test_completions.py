"""The translation in what language models write around it."""

from contextlib import suppress

import pytest
from helpers.examples import example_count
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilmt.teachers.completions import clean_output, completion_of

SOURCE, TRANSLATION = "The red car is fast.", "L'auto rossa è veloce."


def clean(response, source=SOURCE, language="Italian"):
    return clean_output(response, source, language).text


THOUGHTS = [
    "<think>hm\nhm</think>\n{}",
    "The user wants Italian. I think of words.\n</think>\n\n{}",
    "<think>a</think> {}",
    "<think>a</think>draft <think>b</think>\n{}",
    "<thinking>a: b</thinking>\n{}",
    "<Reasoning>a</Reasoning>{}",
    "[THINK]a[/THINK]{}",
    "◁think▷a◁/think▷{}",
    "<seed:think>a</seed:think>{}",
    "<|channel|>analysis<|message|>We translate.<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "analysisWe need to translate.assistantfinal{}",
    "{}<|im_end|>",
    "{}</s>",
    "{}<|im_end|>\n<|im_start|>user",
    "{}<|im_end|>\n<|im_start|>user\nThe blue car.<|im_end|>\n<|im_start|>assistant\nL'auto blu",
    "<|im_start|>assistant\n{}<|im_end|>",
    "<|im_start|>user\nThe red car is fast.<|im_end|>\n<|im_start|>assistant\n{}",
    "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nThanks",
    "<start_of_turn>model\n{}<end_of_turn>\n<start_of_turn>user\nmore",
    "{}<|endoftext|>Human: more",
]
AROUND = [
    "```\n{}\n```",
    "```text\n{}\n```",
    "```italian translation\n{}\n```",
    "Sure!\n\n```it\n{}\n```\n\nLet me know.",
    "~~~\n{}\n~~~",
    "`{}`",
    '"{}"',
    "“{}”",
    "«{}»",
    "「{}」",
    "**{}**",
    "Here is the translation:\n\n{}",
    "Here is the translation: {}",
    "Here's the Italian translation: {}",
    "Sure! Here is the translation into Italian:\n{}",
    "Sure, here's the translation: {}",
    "Translation: {}",
    "**Translation:** {}",
    "Translation (Italian): {}",
    "Italian: {}",
    "Traduzione: {}",
    "Certainly! {}",
    'The translation is: "{}"',
    "Italian translation:\n\n{}",
    "English: The red car is fast.\nItalian: {}",
    "{}\n\nNote: I kept it short.",
    "{}\n\n(Note: literal.)",
    "{}\n\nLet me know if you need anything else!",
    "{}\n(Nota: il termine è ambiguo.)",
    "{}\nNota: il termine è ambiguo.",
    "{} (Nota: il termine è ambiguo)",
    "{}\n\n*(questo è informale)*",
    "{}\n注：字面意思。",
    "Traduzione: «{}»\n(Nota: il termine è ambiguo.)",
    '**"{}"**',
    "<translation>{}</translation>",
    "<answer>\n{}\n</answer>",
    "\n\n{}\n",
]


@pytest.mark.parametrize("form", THOUGHTS + AROUND)
def test_what_stands_around_a_translation_is_left_out(form):
    assert clean(form.replace("{}", TRANSLATION)) == TRANSLATION


words = st.text(st.sampled_from("abcdeàéñß漢字かな,. 0129-"), min_size=1, max_size=40).map(str.split).map(" ".join)


@settings(deadline=None, max_examples=example_count(300))
@given(words.filter(bool), words.filter(bool), st.sampled_from(THOUGHTS), st.sampled_from(AROUND))
@example("e", "a", "{}", "{}")
def test_any_text_comes_out_of_any_forms(translation, source, thoughts, around):
    around = around if "The red car" not in around else "{}"
    assert clean(thoughts.replace("{}", around.replace("{}", translation)), source) == translation


@settings(deadline=None, max_examples=example_count(300))
@given(words.filter(lambda text: not text.startswith("1. ")))  # which is a list's
def test_plain_translations_are_left_as_they_are(text):
    result = clean_output(text, "a source", "Italian")
    assert result.text == text and result.issue == ("" if text else "empty")


@pytest.mark.parametrize(
    "source, response",
    [
        ('"Go," he said.', '"Vai," disse.'),
        ('He said "go"', '"vai" disse "lui"'),
        ('He said "go"', "«Vai», disse"),
        ('"Go"', "«Vai»"),
        ("'Go'", '"Vai"'),
        ("the dogs' house", "la casa dei cani'"),
        ("He left (late)", "È partito (tardi)"),
        ("Press </s> or <|end|>", "Premi </s> o <|end|>"),
        ("Translation: an art", "Traduzione: un'arte"),
        ("Note: it is late", "Nota: è tardi"),
        ("Options:", "Opzioni:"),
        ("a </think> tag", "un tag </think>"),
        ("Use `ls`", "`ls`"),
        ("``` opens a block", "``` apre un blocco"),
        ("<answer>yes</answer>", "<answer>sì</answer>"),
        ("Remove **this**", "**questo**"),
        ("Meet at 10:30", "Alle 10:30"),
        ("print <|end|>", "stampa <|end|>"),
        ("I'm sorry, I cannot translate this.", "I'm sorry"),
        ("It is here", "È qui"),
    ],
)
def test_what_the_source_has_stays(source, response):
    result = clean_output(response, source, "Italian")
    assert (result.text, result.issue) == (response, "")


QUOTED = [('She said "yes" to me.', 'Mi ha detto "sì".'), ("He's 'late', they say.", "È «tardi», dicono.")]


@pytest.mark.parametrize("source, translation", QUOTED)
@pytest.mark.parametrize(
    "form", ["**{}**", "«{}»", "“{}”", '"{}"', "`{}`", "Here's it:\n\n**{}**\n\nLet me know if so."]
)
def test_marks_around_marks_of_the_source_are_left_out(source, translation, form):
    assert clean(form.format(translation), source) == translation


def test_several_lines_are_one():
    assert clean("L'auto rossa\n\nè veloce.") == TRANSLATION


@pytest.mark.parametrize(
    "response",
    [
        "I'm sorry, but I can't translate that.",
        "I cannot assist with this request.",
        "I’m unable to help with this content.",
        "As an AI language model, I cannot do that.",
        "It seems you haven't provided any text to translate.",
    ],
)
def test_refusals_are_no_translations(response):
    result = clean_output(response, SOURCE, "Italian")
    assert (result.text, result.issue) == ("", "declined")


def test_a_translation_into_english_may_apologise():
    response = "I'm sorry, but I cannot translate this."
    assert clean_output(response, "Mi dispiace, non posso tradurlo.", "English").text == response


@pytest.mark.parametrize("response", ["<think>on and on", "a</think> b <think>c", "<|channel|>analysis<|message|>We"])
def test_thoughts_that_do_not_end_are_no_translation(response):
    assert clean_output(response, SOURCE).issue == "unfinished_thoughts"


def choice(content, **more):
    return {"message": {"content": content, **more}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    "content",
    [
        TRANSLATION,
        [{"type": "text", "text": TRANSLATION}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": TRANSLATION}],
        [{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": TRANSLATION}],
        ["L'auto rossa ", "è veloce."],
        {"type": "text", "text": {"value": TRANSLATION}},
    ],
)
def test_content_has_several_forms(content):
    assert completion_of(choice(content), SOURCE).text == TRANSLATION


def test_choices_without_a_translation_are_distinguished():
    assert completion_of(choice(None), SOURCE).issue == "empty"
    assert completion_of(choice("", reasoning_content="hm"), SOURCE).issue == "unfinished_thoughts"
    assert completion_of(choice(TRANSLATION, reasoning_content="hm"), SOURCE).text == TRANSLATION
    assert completion_of(choice(None, refusal="no"), SOURCE).issue == "declined"
    assert completion_of(choice("L'au") | {"finish_reason": "length"}, SOURCE).issue == "cut_off"
    assert completion_of(choice("") | {"finish_reason": "content_filter"}, SOURCE).issue == "declined"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["content", "type", "text"]), inner),
    max_leaves=6,
)


@settings(deadline=None, max_examples=example_count(200))
@given(st.text(max_size=200), st.text(max_size=40), anything)
def test_no_response_breaks_it(response, source, content):
    assert "\n" not in clean_output(response, source, "Italian").text
    with suppress(TypeError, AttributeError, KeyError):  # what openai.py takes for another API
        completion_of({"message": {"content": content}}, source)
