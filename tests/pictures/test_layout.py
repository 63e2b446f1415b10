"""Lines of a page as paragraphs in reading order, from their places alone."""

from __future__ import annotations

from distilmt.pictures.layout import Box, paragraphs_in_order

SIZE = 20.0


def column(left: float, top: float, widths: list[float], leading: float = 22.0, size: float = SIZE) -> list[Box]:
    """Lines one below the other; a negative width is that of an indented line."""
    boxes = []
    for row, width in enumerate(widths):
        start = left + 30 if width < 0 else left
        boxes.append(Box(start, left + abs(width), top + row * leading, size, 50.0))
    return boxes


def test_lines_of_a_paragraph_belong_together() -> None:
    assert paragraphs_in_order(column(0, 100, [400, 390, 380, 120])) == [[0, 1, 2, 3]]
    assert paragraphs_in_order([]) == []
    assert paragraphs_in_order(column(0, 0, [400])) == [[0]]


def test_a_paragraph_ends_at_a_short_line_an_indent_a_blank_line_and_another_size() -> None:
    assert paragraphs_in_order(column(0, 0, [400, 200, 400, 390])) == [[0, 1], [2, 3]]
    assert paragraphs_in_order(column(0, 0, [400, 400, -400, 400, 390])) == [[0, 1], [2, 3, 4]]
    spaced = column(0, 0, [400, 390]) + column(0, 60, [400, 390])
    assert paragraphs_in_order(spaced) == [[0, 1], [2, 3]]
    heading = [Box(0, 300, 0, 34, 80.0), *column(0, 34, [400, 390])]
    assert paragraphs_in_order(heading) == [[0], [1, 2]]


def test_a_heading_of_the_same_size_is_no_part_of_its_paragraph() -> None:
    assert paragraphs_in_order(column(0, 0, [120, 400, 395, 390])) == [[0], [1, 2, 3]]


def test_columns_are_read_one_after_the_other_below_a_heading() -> None:
    boxes = [Box(0, 900, 0, 34, 80.0)]
    boxes += column(0, 60, [400, 395, 390, 150]) + column(500, 60, [400, 395, 390, 150])
    boxes.append(Box(0, 900, 260, SIZE, 50.0))  # spans both columns at the end
    assert paragraphs_in_order(boxes) == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]


def test_a_paragraph_goes_on_in_the_next_column() -> None:
    boxes = column(0, 60, [400, 395, 398]) + column(500, 60, [400, 395, 150])
    assert paragraphs_in_order(boxes) == [[0, 1, 2, 3, 4, 5]]
    indented = column(0, 60, [400, 395, 398]) + column(500, 60, [-400, 395, 150])
    assert paragraphs_in_order(indented) == [[0, 1, 2], [3, 4, 5]]


def test_text_that_flows_around_a_picture_stays_one_paragraph() -> None:
    assert paragraphs_in_order(column(0, 0, [600, 595, 300, 298, 290, 150])) == [[0, 1, 2, 3, 4, 5]]


def test_a_table_is_read_row_by_row() -> None:
    boxes = []
    for row, width in enumerate([180, 90, 130, 60]):
        boxes += [Box(0, width, 30 * row, SIZE, 50.0), Box(300, 350, 30 * row, SIZE, 50.0)]
    assert paragraphs_in_order(boxes) == [[line] for line in range(8)]


def test_items_of_a_list_are_paragraphs_with_their_further_lines() -> None:
    boxes = []
    for row, (left, width, word) in enumerate([(0, 400, 8), (20, 150, 60), (0, 390, 8), (0, 200, 8)]):
        boxes.append(Box(left, left + width, 22 * row, SIZE, word))
    assert paragraphs_in_order(boxes) == [[0, 1], [2], [3]]


def test_a_page_number_at_the_edge_is_read_last() -> None:
    boxes = column(60, 0, [400, 395, 150]) + column(560, 0, [400, 395, 150]) + [Box(20, 40, 400, SIZE, 20.0)]
    assert paragraphs_in_order(boxes)[-1] == [6]
