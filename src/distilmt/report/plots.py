"""Plots as inline SVG; colors come from the page's style sheet, so they follow light and dark mode."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from distilmt.report.axes import Axis, even_axis, log_axis, tick_label
from distilmt.report.format import escape

_MOST_POINTS = 250
_COLORED_SYSTEMS = ("teacher", "student", "baseline")


@dataclass(frozen=True)
class Bubble:
    """A system in the scatter plot; `area` is in any unit, `title` is the tooltip."""

    name: str
    label: str
    x: float
    y: float
    area: float
    title: str


@dataclass(frozen=True)
class LineSeries:
    """A curve; `points` are (x, y) and not empty."""

    name: str
    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """Area of the intersection."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(0.0, width) * max(0.0, height)


def series(system: str) -> str:
    """CSS class for the color of a system: its base name, int8 or not."""
    base = system.partition("-")[0]
    return f"s-{base}" if base in _COLORED_SYSTEMS else "s-other"


def scatter(bubbles: Sequence[Bubble], x_label: str, y_label: str, title: str) -> Markup:
    """Bubbles over a logarithmic x axis, with labels that do not overlap."""
    width, height, frame = 520.0, 360.0, Box(34, 26, 476, 284)
    x = log_axis([b.x for b in bubbles], frame.x, frame.x + frame.width)
    y = even_axis([b.y for b in bubbles], frame.y + frame.height, frame.y, room=0.16)
    circles = [_circle_box(b, x, y, max(b.area for b in bubbles)) for b in bubbles]
    # Big circles first, so that small ones stay visible.
    order = sorted(range(len(bubbles)), key=lambda i: -bubbles[i].area)
    body = [_grid(x, y, frame, x_label, y_label)]
    body += [_bubble(bubbles[i], circles[i]) for i in order]
    body += _labels(bubbles, circles, frame)
    return _svg(width, height, title, "".join(body))


def lines(curves: Sequence[LineSeries], x_label: str, title: str, classes: Sequence[str] = ()) -> Markup:
    """Curves over a shared linear x axis; dots with tooltips. `classes` color them, else their names."""
    width, height, frame = 480.0, 290.0, Box(46, 12, 418, 232)
    points = [point for curve in curves for point in curve.points]
    x = replace(even_axis([p[0] for p in points], frame.x, frame.x + frame.width), low=0.0)
    y = even_axis([p[1] for p in points], frame.y + frame.height, frame.y)
    body = [_grid(x, y, frame, x_label, "")]
    chosen = classes or [series(curve.name) for curve in curves]
    body += [_curve(curve, x, y, name) for curve, name in zip(curves, chosen, strict=True)]
    return _svg(width, height, title, "".join(body))


@dataclass(frozen=True)
class FittedCurve:
    """Measured points and the fitted law, over a logarithmic x axis."""

    points: Sequence[tuple[float, float, str]]
    """x, y and tooltip."""
    law: Sequence[tuple[float, ...]]
    """x, y, and the bounds of y."""
    upright: float
    """x of the vertical line."""


def fitted_curve(fitted: FittedCurve, x_label: str, y_label: str, title: str) -> Markup:
    """Points, the law and its bounds as a band."""
    width, height, frame = 520.0, 320.0, Box(46, 26, 464, 244)
    x = log_axis([row[0] for row in fitted.law], frame.x, frame.x + frame.width)
    heights = [*(point[1] for point in fitted.points), *(value for row in fitted.law for value in row[1:])]
    y = even_axis(heights, frame.y + frame.height, frame.y)
    lower, upper = ([f"{x(row[0]):.1f},{y(row[i]):.1f}" for row in fitted.law] for i in (2, 3))
    middle = " ".join(f"{x(row[0]):.1f},{y(row[1]):.1f}" for row in fitted.law)
    dots = "".join(
        f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="4"><title>{escape(tooltip)}</title></circle>'
        for a, b, tooltip in fitted.points
    )
    here = x(fitted.upright)
    body = (
        f'{_grid(x, y, frame, x_label, y_label)}<g class="s-student">'
        f'<polygon class="band" points="{" ".join([*lower, *reversed(upper)])}"/>'
        f'<polyline points="{middle}"/>{dots}</g>'
        f'<line class="upright" x1="{here:.1f}" x2="{here:.1f}" y1="{frame.y:g}" y2="{frame.y + frame.height:g}"/>'
    )
    return _svg(width, height, title, body)


def _svg(width: float, height: float, title: str, body: str) -> Markup:
    """The plot; `body` is SVG with escaped texts."""
    label = escape(title)
    return Markup(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}" class="plot" '
        f'style="max-width:{1.25 * width:g}px"><title>{label}</title>{body}</svg>'
    )


def _grid(x: Axis, y: Axis, frame: Box, x_label: str, y_label: str) -> str:
    bottom, right = frame.y + frame.height, frame.x + frame.width
    parts = [f'<line class="axis" x1="{frame.x:g}" x2="{right:g}" y1="{bottom:g}" y2="{bottom:g}"/>']
    for tick in x.ticks():
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{frame.y:g}" y2="{bottom:g}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 17:g}" text-anchor="middle">')
        parts.append(f"{tick_label(tick)}</text>")
    for tick in y.ticks():
        parts.append(f'<line class="grid" x1="{frame.x:g}" x2="{right:g}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{frame.x - 7:g}" y="{y(tick) + 4:.1f}" text-anchor="end">')
        parts.append(f"{tick_label(tick)}</text>")
    middle = frame.x + frame.width / 2
    parts.append(f'<text class="name" x="{middle:g}" y="{bottom + 36:g}" text-anchor="middle">{escape(x_label)}</text>')
    if y_label:
        parts.append(f'<text class="name" x="{frame.x - 7:g}" y="{frame.y - 10:g}">{escape(y_label)}</text>')
    return "".join(parts)


def _circle_box(bubble: Bubble, x: Axis, y: Axis, biggest: float) -> Box:
    radius = max(5.0, 26 * math.sqrt(bubble.area / biggest)) if biggest > 0 else 8.0
    return Box(x(bubble.x) - radius, y(bubble.y) - radius, 2 * radius, 2 * radius)


def _bubble(bubble: Bubble, box: Box) -> str:
    kind = "full" if "int8" in bubble.name else "hollow"
    radius = box.width / 2
    return (
        f'<circle class="{series(bubble.name)} {kind}" cx="{box.x + radius:.1f}" cy="{box.y + radius:.1f}" '
        f'r="{radius:.1f}"><title>{escape(bubble.title)}</title></circle>'
    )


def _labels(bubbles: Sequence[Bubble], circles: Sequence[Box], frame: Box) -> list[str]:
    taken = list(circles)
    parts = []
    for bubble, circle in zip(bubbles, circles, strict=True):
        boxes = list(_label_boxes(circle, _text_width(bubble.label)))
        inside = [p for p in boxes if p.overlap(frame) >= 0.999 * p.width * p.height] or boxes
        best = min(inside, key=lambda place: sum(place.overlap(other) for other in taken))
        taken.append(best)
        parts.append(
            f'<text class="label {series(bubble.name)}" x="{best.x + best.width / 2:.1f}" y="{best.y + 12:.1f}" '
            f'text-anchor="middle">'
            f"{escape(bubble.label)}</text>"
        )
    return parts


def _label_boxes(circle: Box, width: float, height: float = 16.0) -> Iterator[Box]:
    """Candidate positions of a label, best first: right, left, above, below, then further away."""
    middle_x, middle_y = circle.x + circle.width / 2, circle.y + circle.height / 2
    for gap in (4.0, 16.0, 30.0):
        yield Box(circle.x + circle.width + gap, middle_y - height / 2, width, height)
        yield Box(circle.x - gap - width, middle_y - height / 2, width, height)
        yield Box(middle_x - width / 2, circle.y - gap - height, width, height)
        yield Box(middle_x - width / 2, circle.y + circle.height + gap, width, height)


def _text_width(text: str) -> float:
    return sum(13.5 if ord(character) > 0x2E80 else 8.2 for character in text)


def _curve(curve: LineSeries, x: Axis, y: Axis, colour: str) -> str:
    points = thin_points(curve.points, _MOST_POINTS)
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
    dots = "".join(
        f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="{3 if len(points) <= 60 else 1.5}">'
        f"<title>{escape(curve.label)}, {a:g}: {b:.4g}</title></circle>"
        for a, b in points
    )
    return f'<g class="{colour}"><polyline points="{path}"/>{dots}</g>'


def thin_points(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most about `most` of the points, evenly spaced, first and last among them."""
    step = max(1, math.ceil(len(points) / most))
    subset = list(points[::step])
    return subset if subset[-1] == points[-1] else [*subset, points[-1]]
