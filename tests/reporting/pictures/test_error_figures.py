import re
from xml.etree import ElementTree

import numpy as np
import pytest

from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.errors import (
    MOST_POINTS,
    WorstRow,
    describe_points,
    draw_coverage,
    draw_error_figures,
    draw_predictions,
    draw_residuals,
    worst_rows,
)
from lepton_pipeline.statistics.intervals import wilson

RANDOM = np.random.default_rng(3)


def make(rows=400, spread=1.0):
    """Truth and predictions between 0 and 100."""
    random = np.random.default_rng(rows)
    predicted = random.uniform(5, 95, rows)
    return predicted + spread * random.normal(size=rows), predicted


def texts(chart):
    return [each.text for each in ElementTree.fromstring(chart.inline()).iter("text")]


def points(chart):
    found = re.findall(r"M([\d.]+) ([\d.]+)h0", chart.inline())
    return np.array(found, float)


def paths(chart, look):
    """Corners of each line of a class behind the key."""
    found = re.findall(f'<path class="{look}" d="M([^"]*)"', chart.inline())
    return [np.array([point.split() for point in path.split("L")], float) for path in found if "L" in path]


def ticks(chart):
    """Position and text of the labels of both axes: across, then up."""
    labels = [each for each in ElementTree.fromstring(chart.inline()).iter("text") if not each.get("class")]
    across = [(float(each.get("x")), each.text) for each in labels if each.get("text-anchor") == "middle"]
    up = [(float(each.get("y")) - 4, each.text) for each in labels if each.get("text-anchor") == "end"]
    return across, up


def scaled(chart, of, number=float):
    """Points of a linear chart in units of its axes."""

    def line(places):
        at, values = zip(*((place, number(text.replace(",", ""))) for place, text in places), strict=True)
        return np.polyfit(at, values, 1)

    across, up = ticks(chart)
    return np.column_stack([np.polyval(line(across), of[:, 0]), np.polyval(line(up), of[:, 1])])


def test_each_row_is_a_point_of_prediction_and_truth():
    truth, predicted = make(50)
    chart = draw_predictions(truth, predicted)
    drawn = scaled(chart, points(chart))
    expected = np.column_stack([predicted, truth])
    assert np.sort(drawn[:, 0]) == pytest.approx(np.sort(predicted), abs=0.3)
    assert drawn[np.argsort(drawn[:, 0])] == pytest.approx(expected[np.argsort(predicted)], abs=0.4)


def test_both_axes_of_the_predictions_are_equal_and_have_a_diagonal():
    truth, predicted = make()
    across, up = ticks(draw_predictions(truth, predicted, unit="EUR"))
    assert [text for _, text in across] == [text for _, text in up]
    said = texts(draw_predictions(truth, predicted, unit="m & <s>"))
    assert {"Predicted (m & <s>)", "True value (m & <s>)", "Perfect prediction"} < set(said)
    assert "Median interval" not in said


def test_many_rows_are_sampled_and_the_sample_is_told():
    truth, predicted = make(5000)
    assert len(points(draw_predictions(truth, predicted))) == MOST_POINTS
    assert len(points(draw_residuals(truth, predicted))) == MOST_POINTS
    assert draw_predictions(truth, predicted).inline() == draw_predictions(truth, predicted).inline()
    assert describe_points(5000) == "Points: 1,500 of 5,000 test rows, drawn at random"
    assert describe_points(1500) == "Points: all 1,500 test rows"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 150], ["1", "10", "100"]),
        ([2, 190], ["0", "50", "100", "150"]),
        ([0, 1000], ["0", "250", "500", "750", "1,000"]),
        ([-5, 1000], ["0", "250", "500", "750", "1,000"]),
        ([1e3, 3e8], ["1,000", "10,000", "100k", "1M", "10M", "100M"]),
        ([0.02, 3], ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]),
        ([0, 2.4e6], ["0", "1M", "2M"]),
        ([1e-9, 1e9], ["1e-09", "1e-05", "0.1", "1,000", "10M"]),
    ],
)
def test_axes_are_logarithmic_over_more_than_two_decades_of_positive_values(values, labels):
    values = np.array(values, float)
    across, _ = ticks(draw_predictions(values, values))
    assert [text for _, text in across] == labels


def test_an_interval_band_joins_the_medians_of_its_ends():
    truth, predicted = make()
    chart = draw_predictions(truth, predicted, predicted - 10, predicted + 20)
    low, high = (scaled(chart, path) for path in paths(chart, "s3 thin"))
    assert len(low) == 20
    assert low[:, 1] == pytest.approx(low[:, 0] - 10, abs=0.7)
    assert high[:, 1] == pytest.approx(high[:, 0] + 20, abs=0.7)


def test_ends_without_a_place_on_the_axis_are_drawn_at_its_edge():
    predicted = np.geomspace(1, 1e4, 40)
    chart = draw_predictions(predicted, predicted, predicted * 0 - 5, predicted * np.inf)
    low, high = paths(chart, "s3 thin")
    top, bottom = map(float, re.findall(r'class="axis" d="M[\d.]+ ([\d.]+)V([\d.]+)', chart.inline())[0])
    assert set(low[:, 1]) == {bottom}
    assert set(high[:, 1]) == {top}


def test_residuals_have_median_and_quantiles_of_twenty_bins():
    truth, predicted = make(spread=3)
    chart = draw_residuals(truth, predicted)
    by_bin = (truth - predicted)[np.argsort(predicted)].reshape(20, 20)
    (median,) = paths(chart, "s3 solid")
    assert scaled(chart, median)[:, 1] == pytest.approx(np.median(by_bin, axis=1), abs=0.1)
    low, high = (scaled(chart, path)[:, 1] for path in paths(chart, "s3 thin"))
    assert low == pytest.approx(np.quantile(by_bin, 0.05, axis=1), abs=0.1)
    assert high == pytest.approx(np.quantile(by_bin, 0.95, axis=1), abs=0.1)


def test_residuals_of_values_over_decades_are_ratios():
    predicted = np.geomspace(1, 1e5, 200)
    chart = draw_residuals(predicted * np.tile([0.5, 2], 100), predicted, "EUR")
    assert "True value / prediction" in texts(chart)
    (_, up) = ticks(chart)
    place = {text: at for at, text in up}
    assert sorted(set(points(chart)[:, 1])) == pytest.approx([place["2"], place["0.5"]], abs=0.2)


def test_an_outlier_stands_at_the_edge_and_squeezes_no_other_point():
    truth, predicted = make()
    truth[7] += 1e6
    chart = draw_residuals(truth, predicted)
    assert max(float(text) for _, text in ticks(chart)[1]) <= 10
    assert len(points(chart)) == 400
    assert np.count_nonzero(points(chart)[:, 1] == points(chart)[:, 1].min()) == 1


def test_coverage_is_the_share_inside_with_a_wilson_interval():
    predicted = np.arange(100.0)
    # In each of ten bins, 8 of 10 are inside, ends included.
    truth = predicted + np.tile([0, 1, -1, 0, 0, 0, 0, 0, 5, -5], 10)
    chart = draw_coverage(truth, predicted - 1, predicted + 1, predicted, level=0.8)
    (line,) = paths(chart, "s0")
    shares = scaled(chart, line, lambda text: float(text.removesuffix(" %")))
    assert shares == pytest.approx(np.column_stack([np.arange(4.5, 100, 10), np.full(10, 80)]), abs=0.3)
    (bars,) = re.findall(r'class="interval" d="([^"]*)"', chart.inline())
    low, high = re.findall(r"M([\d.]+) ([\d.]+)V([\d.]+)", bars)[0][1:]
    ends = scaled(chart, np.array([[0, low], [0, high]], float), lambda text: float(text.removesuffix(" %")))
    assert ends[:, 1] == pytest.approx([100 * end for end in wilson(0.8, 10, 1.96)[1:]], abs=0.4)
    assert "Declared: 80 %" in texts(chart)


def test_coverage_and_predictions_have_the_same_kind_of_axis():
    predicted = np.geomspace(0.01, 50, 200)
    for truth, kind in ((predicted, ["0.01", "0.1", "1", "10"]), (predicted.round(), ["0", "20", "40"])):
        chart = draw_coverage(truth, predicted - 1, predicted + 1, predicted)
        assert [text for _, text in ticks(chart)[0]] == kind


def test_the_worst_rows_are_ordered_by_absolute_residual():
    truth, predicted = np.array([1.0, 5.0, 2.0, 9.0]), np.array([2.0, 2.0, 2.0, 12.0])
    assert worst_rows(truth, predicted, ["a", 7, "c", "d"], most=3) == [
        WorstRow("7", 5.0, 2.0, 3.0),
        WorstRow("d", 9.0, 12.0, -3.0),
        WorstRow("a", 1.0, 2.0, -1.0),
    ]


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [
        make(3000),
        (RANDOM.normal(3, 1, 300), np.full(300, 3.0)),
        (np.full(20, 4.0), np.full(20, 4.0)),
        (np.zeros(5), np.zeros(5)),
        (np.array([2.0]), np.array([3.0])),
        (np.array([1.0, 1e6, 3.0]), np.array([2.0, 5e5, 4.0])),
        (np.repeat([0.0, 1.0, 2.0], 50), np.tile([0.5, 1.5], 75)),
        (np.append(np.zeros(500), 1e9), np.append(np.zeros(500), -1.0)),
    ],
    ids=["many", "constant predictions", "all equal", "zeros", "one row", "three rows", "counts", "outlier"],
)
def test_figures_are_whole_pictures_of_any_numbers(truth, predicted):
    about = About(caution="Synthetic, of 2 < 3 <b>rows</b>.")
    figures = draw_error_figures(truth, predicted, about, predicted - 1, predicted + 1, 0.9, "t & <b>")
    assert list(figures) == ["predictions.svg", "residuals.svg", "coverage.svg"]
    for picture in figures.values():
        drawn = picture.decode().partition("</style>")[2]
        assert about.caution in "\n".join(ElementTree.fromstring(picture).itertext())
        assert not re.search(r"\b(nan|inf)\b", drawn)
        assert "<b>" not in drawn
    assert figures == draw_error_figures(
        truth, predicted, about, predicted - 1, predicted + 1, 0.9, "t & <b>"
    )


def test_figures_tell_their_main_values():
    truth, predicted = np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 2.0])
    figures = draw_error_figures(truth, predicted, About(), predicted - 1, predicted + 1, 0.9, "EUR")
    said = {name: "\n".join(ElementTree.fromstring(each).itertext()) for name, each in figures.items()}
    # Residuals -1, 0 and 4; two of three true values are inside.
    assert "mean absolute error 1.667 EUR" in said["predictions.svg"]
    assert "2.380 EUR" in said["predictions.svg"]
    assert "median of true value less prediction: 0 EUR" in said["residuals.svg"]
    assert "66.7\N{NO-BREAK SPACE}% of the true values are inside their 90 % interval" in said["coverage.svg"]


def test_without_intervals_there_is_no_picture_of_coverage():
    truth, predicted = make(20)
    assert list(draw_error_figures(truth, predicted, About())) == ["predictions.svg", "residuals.svg"]
    assert paths(draw_predictions(truth, predicted), "s3 thin") == []
