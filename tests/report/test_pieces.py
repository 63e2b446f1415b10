import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilmt.report import axes, format, plots
from distilmt.report.diff import diff_tokens, mark_differences, tokens
from distilmt.report.format import printable
from distilmt.report.rendering import environment


def marked(text: str, reference: str, teacher: str | None, target: str) -> str:
    """The differences as they stand in a page."""
    macros = environment("en").get_template("macros.html.j2").module
    return printable(str(macros.marked(mark_differences(text, reference, teacher, target))))  # type: ignore[attr-defined]


def test_differing_words_are_marked_against_both_texts():
    result = marked("the blue old house", "the red old house", "the blue new house", "en")
    assert result == 'the <mark class="r">blue</mark> <mark class="t">old</mark> house'


def test_neighbouring_words_make_one_mark():
    assert marked("a x y b", "a c d b", None, "en") == 'a <mark class="r">x y</mark> b'


def test_missing_words_leave_a_gap():
    assert marked("a b", "a c b", None, "en") == 'a <mark class="gap r"></mark>b'
    assert marked("a", "a c", None, "en") == 'a<mark class="gap r"></mark>'


def test_chinese_is_compared_by_characters_and_latin_words_stay_whole():
    assert tokens("用HTML写的", "zh_CN") == ["用", "HTML", "写", "的"]
    assert marked("红色的茶", "绿色的茶", None, "zh") == '<mark class="r">红</mark>色的茶'


def test_marks_escape_the_text():
    assert marked("<b>", "", None, "en") == '<mark class="r">&lt;b&gt;</mark>'


@given(st.text(), st.text(), st.sampled_from(["en", "zh"]))
def test_marking_keeps_every_character(one, other, target):
    assert unescape(re.sub("<[^>]*>", "", marked(one, other, other, target))) == format.printable(one)
    assert "".join(tokens(one, target)) == one
    assert not any(diff_tokens(tokens(one, target), tokens(one, target)).changed)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (format.size(4_550_000), "4.55 MB"),
        (format.size(181e6), "181 MB"),
        (format.size(12), "12 B"),
        (format.duration(4.24), "4.2 s"),
        (format.duration(185), "3 min 05 s"),
        (format.duration(7500), "2 h 05 min"),
        (format.count(7_700_000), "7.7 M"),
        (format.number(-1234.56), "−1,234.6"),
        (format.signed(0.44), "+0.4"),
        (format.signed(-0.012), "−0.01"),
        (format.p_value(0.000999), "p < 0.001"),
        (format.p_value(0.0496), "p = 0.050"),
        (format.p_value(0.31), "p = 0.31"),
        (format.rate(74.93), "74.9"),
        (format.rate(271.4), "271"),
        (format.number(float("nan")), "–"),
        (format.size(None), "–"),
        (format.number(True), "–"),
    ],
)
def test_numbers_as_written(written, expected):
    assert written == expected


def test_escape_replaces_what_html_forbids():
    assert format.escape("a\x00<\x1b'\n") == "a\ufffd&lt;\ufffd&#x27;\n"


def test_even_ticks_are_round():
    assert axes.even_ticks(31.2, 37.1, 6) == [32, 33, 34, 35, 36, 37]
    assert axes.even_ticks(0, 9000, 5) == [0, 2000, 4000, 6000, 8000]


def test_log_axis_maps_factors_to_equal_steps():
    axis = axes.log_axis([10, 1000], 0, 100)
    assert axis(100) - axis(10) == pytest.approx(axis(1000) - axis(100))
    assert [axes.tick_label(tick) for tick in axes.Axis(9, 1100, 0, 1, log=True).ticks()] == (
        ["10", "20", "50", "100", "200", "500", "1k"]
    )


@given(st.lists(st.tuples(st.floats(0.01, 1e5), st.floats(0, 100)), min_size=1, max_size=6))
def test_any_systems_can_be_plotted(values):
    bubbles = [plots.Bubble(f"s{i}", f"s{i}", x, y, 1.0, "t") for i, (x, y) in enumerate(values)]
    svg = plots.scatter(bubbles, "x", "y", "title")
    assert svg.count("<circle") == len(values)
    assert "nan" not in svg


def test_labels_of_close_systems_do_not_overlap():
    bubbles = [plots.Bubble("a", "student-int8", x, 35.0, 1.0, "") for x in (70, 72, 74)]
    bubbles.append(plots.Bubble("b", "teacher", 9, 36, 14.0, ""))
    svg = plots.scatter(bubbles, "x", "y", "title")
    places = re.findall(r'class="label [^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', svg)
    width = {"student-int8": 95, "teacher": 55}
    boxes = [plots.Box(float(x) - width[name] / 2, float(y) - 12, width[name], 15) for x, y, name in places]
    assert len(boxes) == 4
    assert all(a.overlap(b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_long_curves_are_thinned_but_keep_their_ends():
    points = [(float(i), 1.0) for i in range(10_001)]
    remaining = plots.thin_points(points, 250)
    assert len(remaining) <= 252
    assert remaining[0] == points[0] and remaining[-1] == points[-1]
    assert plots.thin_points(points[:3], 250) == points[:3]
