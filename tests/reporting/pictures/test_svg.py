import re
from xml.etree import ElementTree

import pytest

from lepton_pipeline.reporting.pictures.svg import Axis, Chart, bar, sparkline


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (-0.3, 0.7, ["-0.2", "0", "0.2", "0.4", "0.6"]),
        (1200, 51_000, ["10,000", "20,000", "30,000", "40,000", "50,000"]),
        (0, 0.0031, ["0", "0.001", "0.002", "0.003"]),
        (1, 4, ["1", "2", "3", "4"]),
    ],
)
def test_even_ticks_are_round_and_inside(low, high, labels):
    assert [label for _, label in Axis(low, high).labelled()] == labels


def test_a_line_is_broken_where_a_value_is_missing():
    chart = Chart(Axis(0, 4), Axis(0, 1))
    chart.line(range(5), [0.1, None, float("nan"), 0.2, 0.3], "s0")
    (path,) = re.findall('class="s0" d="([^"]*)"', chart.inline())
    assert (path.count("M"), path.count("L")) == (2, 1)


def test_what_lies_outside_is_drawn_at_the_edge():
    chart = Chart(Axis(0, 1), Axis(0, 1), 100, 100)
    chart.dots([5, float("inf")], [9, -9], "s0")
    places = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', chart.inline())
    assert all(0 <= float(place) <= 100 for pair in places for place in pair)


def test_names_of_data_are_text_and_nothing_else():
    evil = "<script>alert(1)</script> $\\frac{ & \x1b[31m\x07 漢"
    chart = Chart(Axis(0, 1, evil, ticks=((0, evil),)), Axis(0, 1, evil))
    root = ElementTree.fromstring(chart.inline())
    assert {each.tag for each in root.iter()} == {"svg", "path", "text"}
    shown = [text.text for text in root.iter("text")]
    assert sum("<script>alert(1)</script> $\\frac{ & \\x1b[31m\\x07 漢" in text for text in shown) == 3


def test_a_bar_reaches_below_zero_and_is_grey_where_its_interval_holds_zero():
    sure, unsure = bar(0.5, 0.2, 0.8, 1.0), bar(-0.1, -0.2, 0.1, 0.8, -0.2)
    assert 'class="bar"' in sure
    assert '<rect x="0" y="1.5" width="50" height="7"/>' in sure
    assert 'class="bar unsure"' in unsure
    assert '<rect x="10" y="1.5" width="10" height="7"/>' in unsure
    assert '<line x1="0" x2="30"' in unsure


def test_a_sparkline_ends_in_its_last_value():
    drawn = sparkline([0.9, None, 0.8, 0.7, None], line=0.75)
    assert drawn.count("<circle") == 1
    assert 'class="limit"' in drawn
    # Neither labels nor axes.
    assert "<text" not in drawn
    assert "axis" not in drawn
    assert sparkline([None, 0.9]) == sparkline([]) == ""
