"""Plots: well-formed SVG that holds every line, in its frame, whatever the values."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.simulation.plot import COLOURS, WIDTH, Line, Mark, Panel, Scale, draw

SVG = "{http://www.w3.org/2000/svg}"


def parsed(*panels):
    return ET.fromstring(draw("A <title> & more", "below it", panels))


def test_names_of_lines_marks_and_axes_are_there():
    line = Line("slow & fast <peers>", [(0, 0), (10, 5)], COLOURS[0])
    svg = parsed(Panel("Upload", "seconds", "MiB/s", [line], [Mark(4, "bound")]))
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    for name in ("A <title> & more", "below it", "Upload", "seconds", "MiB/s", "slow & fast <peers>", "bound"):
        assert name in texts


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), min_size=1, max_size=20),
    st.sampled_from(Scale),
    st.sampled_from(Scale),
)
def test_every_point_lies_in_the_frame(points, x_scale, y_scale):
    line = Line("values", sorted(points), COLOURS[0])
    svg = parsed(Panel("Values", "x", "y", [line], x_scale=x_scale, y_scale=y_scale))
    height = float(svg.get("height"))
    (drawn,) = svg.iter(f"{SVG}polyline")
    for point in drawn.get("points").split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= height


def test_a_line_of_very_many_points_is_thinned_and_keeps_its_ends():
    line = Line("long", [(float(x), float(x)) for x in range(100_000)], COLOURS[0])
    svg = parsed(Panel("Long", "x", "y", [line]))
    (drawn,) = svg.iter(f"{SVG}polyline")
    points = drawn.get("points").split()
    assert len(points) < 2_000
    assert float(points[-1].split(",")[0]) > WIDTH * 0.8


def test_a_panel_without_points_is_drawn_empty():
    svg = parsed(Panel("Nothing", "x", "y", [Line("none", [], COLOURS[0])]))
    assert list(svg.iter(f"{SVG}polyline")) == []
