from pathlib import Path

import pytest

from distilmt.utils.arguments import check_written_path, existing_path, number, text_list, whole_number, written_path
from distilmt.utils.errors import UserError
from distilmt.utils.texts import replace_surrogates


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("runs/a\x07b", r"control character U\+0007"),
        ("a\nb", r"control character U\+000A"),
        ("a\0b", r"control character U\+0000"),
        ("caf\udce9", "not UTF-8"),
        ("a\u2028b", "line separator"),
        ("~/runs/x", "begins with ~, which only a shell expands"),
        ("${HOME}/x", r"begins with \$"),
    ],
)
def test_names_that_are_not_written(path, reason):
    with pytest.raises(UserError, match=reason) as error:
        written_path("run_dir", path)
    assert str(error.value).startswith("run_dir ") and str(error.value).isprintable()


@pytest.mark.parametrize("path", ["runs/first run", "läufe/一", "a~b$", "a/~x"])
def test_names_that_are_written(path):
    check_written_path("run_dir", path)
    assert written_path("run_dir", Path(path)) == Path(path)


def test_values_of_other_types_are_type_errors():
    for call in (
        lambda: existing_path("directory", 5),
        lambda: whole_number("count", "2", 1, 9),
        lambda: whole_number("count", True, 1, 9),
        lambda: number("alpha", "0.5", 0, 1),
        lambda: text_list("texts", "a single text"),
        lambda: text_list("texts", {"a": 1}),
        lambda: text_list("texts", 5),
        lambda: text_list("texts", ["a", None]),
    ):
        with pytest.raises(TypeError, match=r"^(directory|count|alpha|texts)(\[1\])? is .+: (give|put) "):
            call()


def test_values_out_of_bounds_are_user_errors():
    for call in (
        lambda: existing_path("directory", ""),
        lambda: whole_number("count", 0, 1, 9),
        lambda: number("alpha", float("nan"), 0, 1),
        lambda: text_list("texts", ["a\0b"]),
        lambda: text_list("texts", ["a\ud800b"]),
    ):
        with pytest.raises(UserError, match=r"^(directory|count|alpha|texts\[0\]) "):
            call()
    assert text_list("texts", (text for text in "ab")) == ["a", "b"]


def test_lone_surrogates_become_question_marks():
    assert replace_surrogates("a\ud800ü") == "a?ü"
