import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.evaluation import output_checks
from distilmt.utils.errors import UserError


def one(hypothesis: str, source: str = "a perfectly usual sentence", reference: str = "ein ganz üblicher Satz"):
    result = output_checks.check_outputs([hypothesis], [source], [reference])
    return result.empty, result.repetitions, result.copies, result.length_outliers


def test_a_good_translation_has_no_fault():
    assert one("ein recht üblicher Satz") == (0, 0, 0, 0)


def test_empty_translations_are_counted_unless_there_was_nothing_to_output():
    assert one("  ")[0] == 1
    assert one("", source="")[0] == 0


@pytest.mark.parametrize("phrase", ["na ", "so and so ", "的", "ha", "很好很"])
def test_loops_are_counted_beyond_the_limit(phrase):
    assert output_checks.has_repetition(phrase * 9, 8)
    assert not output_checks.has_repetition(phrase * 8, 8)
    assert output_checks.has_repetition("at first all is well, then " + phrase * 9 + " and out", 8)


def test_rulers_and_numbers_are_no_loops():
    assert not output_checks.has_repetition("----------------- 1000000000000 ................. " * 2, 8)


def test_loops_that_people_write_too_are_no_fault():
    assert one("ja " * 9, source="yes " * 9, reference="ja " * 9)[1] == 0
    assert one("ja " * 9, source="yes", reference="ja")[1] == 1


def test_copies_are_counted_unless_people_copied_too():
    assert one("A perfectly usual sentence")[2] == 1
    assert one("Linux 6.1", source="Linux 6.1", reference="Linux 6.1")[2] == 0
    assert one("42", source="42", reference="zweiundvierzig")[2] == 0


def test_odd_lengths_are_counted():
    assert one("viel " + " ".join(f"Wort{i}" for i in range(30)))[3] == 1
    long = "a long sentence of many words that says a good deal of things"
    assert one("x", source=long, reference=long[::-1])[3] == 1


def test_usual_length_follows_the_languages():
    source, chinese = (
        "the weather is very nice today, so we went for a long walk in the park",
        "今天天气很好我们去公园散步",
    )
    assert one(chinese, source=source, reference=chinese)[3] == 0


def test_different_numbers_of_sentences_are_refused():
    with pytest.raises(UserError, match="1 translations, 2 sources and 1 references"):
        output_checks.check_outputs(["a"], ["a", "b"], ["a"])


@given(st.lists(st.text(), max_size=5))
def test_any_text_is_counted_within_bounds(texts):
    result = output_checks.check_outputs(texts, texts[::-1], texts)
    assert all(
        0 <= count <= result.sentences == len(texts)
        for count in (result.empty, result.repetitions, result.copies, result.length_outliers)
    )
