"""Measures of forecasts against baselines, with intervals over series and origins."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from crossed_sales import DATASET, FORECAST, make_rows, make_sales

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.forecasts import Forecasts, measure_forecasts
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.error_measures import pinball_losses
from lepton_pipeline.system.records import from_plain, to_plain

EVALUATION = Evaluation(resamples=200)
# By series: two periods of the first origin, then of the second.
UNITS = [[0, 2, 4, 0], [10, 10, 20, 10], [5, 5, 5, 5]]
MODEL = [[1, 2, 2, 0], [10, 12, 16, 10], [5, 5, 5, 5]]
SCALES = [1.0, 4.0, np.nan]


def by_hand():
    """Three series, two test origins and two periods ahead; the third series never changes."""
    rows = make_rows(3, {"test": 2})
    place = rows["product"].str[1:].astype(int)
    at = 2 * (rows["origin"] > rows["origin"].min()).astype(int) + rows["ahead"] - 1
    units, model = (np.array(values)[place, at].astype(float) for values in (UNITS, MODEL))
    table = rows.drop(columns="part").assign(
        units=units,
        scale=1.0,
        level=place.map({0: 1.5, 1: 12.5, 2: 5.0}),
        naive_error=np.array(SCALES)[place],
        age=place * 10,
    )
    scores = pd.DataFrame(
        {
            "part": "test",
            "label": units,
            "model": model,
            "model: low": model - 1,
            "model: high": model + 1,
            "naive": units + 1,
        }
    )
    return table, scores


def values(figures):
    return {name: figure.value for name, figure in figures.items()}


def test_measures_are_those_by_hand():
    table, scores = by_hand()
    found = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST)
    assert (found.series, found.origins, found.rows, found.without_mase) == (3, 2, 12, 1)
    truth, model = scores["label"].to_numpy(), scores["model"].to_numpy()
    pinball = pinball_losses(truth, np.stack([model - 1, model, model + 1], axis=1), [0.1, 0.5, 0.9])
    assert values(found.figures["model"]) == pytest.approx(
        {
            # Errors of the first series are 1, 0, 2 and 0, those of the second 0, 2, 4 and 0.
            "mase": (3 / 4 / 1 + 6 / 4 / 4) / 2,
            "wape": 9 / 76,
            "wql": 2 * pinball.sum() / 76,
            "coverage": 9 / 12,
            "bias": (1 - 2 + 2 - 4) / 76,
        }
    )
    assert values(found.figures["naive"]) == pytest.approx(
        {"mase": (1 + 1 / 4) / 2, "wape": 12 / 76, "bias": 12 / 76}
    )
    assert found.best == {"mase": "naive", "wape": "naive"}
    assert values(found.differences["naive"]) == pytest.approx({"mase": 0.5625 - 0.625, "wape": -3 / 76})


def test_groups_are_measured_apart():
    table, scores = by_hand()
    found = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST)
    assert [(each.name, each.series, each.rows) for each in found.horizons] == [("1", 3, 6), ("2", 3, 6)]
    assert [each.figures["model"]["wape"].value for each in found.horizons] == pytest.approx([7 / 44, 2 / 32])
    assert [(each.name, each.rows) for each in found.volumes] == [("low", 4), ("middle", 4), ("high", 4)]
    assert [each.figures["model"]["wape"].value for each in found.volumes] == pytest.approx(
        [3 / 6, 0, 6 / 50]
    )
    assert [each.figures["naive"]["wape"].value for each in found.volumes] == pytest.approx(
        [4 / 6, 4 / 20, 4 / 50]
    )
    # A season is four periods.
    assert [(each.name, each.series, each.rows) for each in found.ages] == [
        ("cold start", 1, 4),
        ("others", 2, 8),
    ]


def test_there_is_nothing_without_a_forecast():
    assert measure_forecasts(*by_hand()[::-1], DATASET, EVALUATION, None) == Forecasts()


def test_figures_do_not_depend_on_the_order_of_rows_and_are_the_same_again():
    table, scores = make_sales(20, {"validation": 2, "test": 3})
    one = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST)
    mixed = np.random.default_rng(0).permutation(len(scores))
    other = measure_forecasts(scores.iloc[mixed], table, DATASET, EVALUATION, FORECAST)
    for name, figures in one.figures.items():
        for metric, figure in figures.items():
            assert other.figures[name][metric].value == pytest.approx(figure.value)
            assert other.figures[name][metric].ends == pytest.approx(figure.ends)
    again = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST)
    assert again == one


def test_simple_baselines_have_quantiles_of_their_errors_on_held_out_rows():
    table, scores = make_sales(60, {"validation": 6, "test": 4})
    figures = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST).figures
    assert set(figures) == {"model", "naive", "seasonal_naive", "moving_average"}
    # Rounding to whole units makes ranges a little wider.
    assert all(0.75 < each["coverage"].value < 0.95 for each in figures.values())
    held_out = scores[scores["part"] == "validation"]
    steps = np.quantile(
        (held_out["label"] - held_out["naive"]) / table.loc[held_out.index, "scale"], [0.1, 0.5, 0.9]
    )
    test = scores[scores["part"] == "test"]
    made = test[["naive"]].to_numpy() + table.loc[test.index, ["scale"]].to_numpy() * steps
    losses = pinball_losses(test["label"].to_numpy(), np.maximum(np.round(made), 0), [0.1, 0.5, 0.9])
    assert figures["naive"]["wql"].value == pytest.approx(2 * losses.sum() / test["label"].sum())
    assert "wql" not in measure_forecasts(test, table, DATASET, EVALUATION, FORECAST).figures["naive"]


def test_a_paired_difference_is_narrower_than_those_of_its_parts():
    table, scores = make_sales(60, {"validation": 3, "test": 6})
    found = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST)
    best = found.best["wape"]
    difference = found.differences[best]["wape"]
    assert difference.high < 0

    def breadth(figure):
        return figure.high - figure.low

    assert breadth(difference) < breadth(found.figures[best]["wape"]) + breadth(
        found.figures["model"]["wape"]
    )


def test_many_periods_ahead_are_measured_together():
    table, scores = make_sales(4, {"test": 2}, horizon=30)
    groups = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST).horizons
    assert [each.name for each in groups][:2] == ["1 to 4", "5 to 8"]
    assert sum(each.rows for each in groups) == len(scores)
    assert len(groups) == 8


def test_a_missing_forecast_is_refused():
    table, scores = make_sales(4, {"test": 2})
    scores.loc[3, "seasonal_naive"] = np.nan
    with pytest.raises(DataError, match="seasonal_naive has no forecast for 1 test rows"):
        measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST)


def test_a_target_of_zeros_has_no_shares():
    table, scores = by_hand()
    figures = measure_forecasts(scores.assign(label=0.0), table, DATASET, EVALUATION, FORECAST).figures[
        "model"
    ]
    assert set(figures) == {"mase", "coverage"}


def test_the_record_is_json_and_read_again():
    table, scores = make_sales(12, {"validation": 2, "test": 3})
    found = measure_forecasts(scores, table, DATASET, EVALUATION, FORECAST)
    plain = json.loads(json.dumps(to_plain(found), allow_nan=False))
    assert from_plain(Forecasts, plain) == found
