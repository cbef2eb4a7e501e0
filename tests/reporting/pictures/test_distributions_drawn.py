"""Pictures of columns."""

import re

import pytest

from lepton_pipeline.evaluation.distributions import Distribution, Part
from lepton_pipeline.reporting.pictures.distributions import draw_distribution
from lepton_pipeline.statistics.estimates import Estimate

MEAN = Estimate(0.2, 0.15, 0.25)


def page(*given, **options):
    return "".join(chart.inline() for chart in draw_distribution(*given, **options))


def number(**changes):
    parts = [Part("", 30, Estimate(0.1, 0.05, 0.2)), Part("", 0, None), Part("", 10, MEAN)]
    return Distribution(**{"column": "age", "missing": 3, "edges": [0, 10, 20, 30], "parts": parts} | changes)


def category(names):
    return Distribution("town", 0, [], [Part(name, 20, MEAN) for name in names])


def test_shares_stand_above_means_with_their_intervals():
    drawn = page(number(), MEAN, "Share of positive rows", rate=True)
    assert drawn.count("<svg") == 2
    above, below = drawn.split("</svg>")[:2]
    assert 'class="fill"' in above
    assert "Share of the rows" in above
    # A bin without rows has neither dot nor interval, and the line is broken there.
    assert below.count("<circle") == 2
    (intervals,) = re.findall('class="interval" d="([^"]*)"', below)
    assert intervals.count("M") == 2
    assert 'class="chance"' in below


def test_without_a_mean_there_is_one_chart_with_the_values_below():
    drawn = page(number(), None, "", rate=False)
    assert drawn.count("<svg") == 1
    assert ">30</text>" in drawn


def test_names_of_categories_are_shown_and_never_obeyed():
    drawn = page(category(["<b>&", "Linz"]), MEAN, "Mean of the target", rate=False)
    assert "&lt;b&gt;&amp;" in drawn
    assert "<b>" not in drawn
    assert 'class="s0"' not in drawn.split("<circle")[0]


def test_dates_are_written_as_days():
    drawn = page(number(dates=True, edges=[0.0, 1e8, 2e8, 3e8]), MEAN, "Rate", rate=True)
    assert "1970-01-01" in drawn
    assert "1979-07-05" in drawn


@pytest.mark.parametrize("mean", [Estimate(5.0, 4.0, 6.0), Estimate(-5.0, -6.0, -4.0)])
def test_means_of_any_size_lie_inside_the_chart(mean):
    column = number(parts=[Part("", 30, mean)] * 3)
    drawn = page(column, mean, "Mean of the target", rate=False)
    heights = [float(y) for y in re.findall('<circle class="s0" cx="[0-9.]+" cy="([0-9.]+)"', drawn)]
    assert len(heights) == 3
    assert all(26 < height < 150 for height in heights)
