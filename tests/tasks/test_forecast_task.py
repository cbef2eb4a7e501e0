"""Quantiles over a scale: calibrated, in order, whole where labels are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Evaluation, Split, Training
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.forecast import Forecast
from lepton_pipeline.tasks.split import split_rows

LEVELS = (0.1, 0.5, 0.9)
DATASET = Dataset(target="units", task="forecast", time="week", group="product", scale="scale")


def sales(rows=4000, seed=0):
    """Counts whose mean is a factor times the scale of their row."""
    rng = np.random.default_rng(seed)
    scale, factor = np.exp(rng.normal(2, 1, rows)) + 1, rng.uniform(0.2, 2, rows)
    return scale, factor, rng.poisson(scale * factor).astype(np.float64)


def test_quantiles_cover_as_often_as_they_say_though_whole_numbers_are_lumpy():
    scale, factor, units = sales(20_000)
    task = Forecast().adapted(pd.Series(units)).fitted(units / scale)
    # Far too narrow, and too high.
    raw = task._standardised(factor)[:, None] + np.array([0.4, 0.35, 0.45])
    known, new = slice(None, 10_000), slice(10_000, None)
    moved = task.with_intervals(raw[known], (units / scale)[known], scale=scale[known])
    forecasts = moved.in_units(moved.from_outputs(raw[new]), scale[new])
    assert np.array_equal(forecasts, np.rint(forecasts))
    low, median, high = moved.ordered(forecasts).T
    assert ((low <= median) & (median <= high)).all()
    assert (units[new] <= high).mean() == pytest.approx(0.9, abs=0.01)
    assert (units[new] >= low).mean() == pytest.approx(0.9, abs=0.01)


def test_crossing_quantiles_are_put_in_order():
    task = Forecast()
    scores = task.from_outputs(np.array([[1.0, 3.0, 2.0]]))
    assert scores.tolist() == [[2.0, 1.0, 3.0]]
    assert task.ordered(scores).tolist() == [[1.0, 2.0, 3.0]]


def test_further_quantiles_have_names_of_their_own():
    task = Forecast(asked=(0.05, 0.25, 0.5, 0.95))
    assert task.score_names == ["prediction", "low", "high", "q0.25"]
    assert task.all_levels == (0.5, 0.05, 0.95, 0.25)
    frame = pd.DataFrame(task.columns("model", np.array([[2.0, 0.0, 9.0, 1.0]])))
    assert list(frame) == ["model", "model: low", "model: high", "model: q0.25"]
    assert task.ordered(task.scores(frame, "model")).tolist() == [[0.0, 1.0, 2.0, 9.0]]


@pytest.mark.parametrize(
    ("labels", "whole", "least"), [([0.0, 3], True, 0.0), ([0.5, 3], False, 0.0), ([-1.0, 3], True, None)]
)
def test_what_all_labels_have_in_common_holds_for_forecasts(labels, whole, least):
    task = Forecast().adapted(pd.Series(labels))
    assert (task.whole, task.least) == (whole, least)
    (found,) = task.in_units(np.array([[-0.7, -0.7, 1.4]]), np.array([2.0])).tolist()
    expected = {True: [-1.0, -1.0, 3.0], False: [-1.4, -1.4, 2.8]}[whole]
    assert found == pytest.approx([max(each, least) for each in expected] if least is not None else expected)


def test_the_loss_of_a_point_is_that_of_quantiles_at_the_point():
    labels, point = np.array([3.0, 0.0, 5.0]), np.array([1.0, 2.0, 5.0])
    measured = Forecast().prepare(labels, point, None).measure(np.ones((1, 3)))
    assert measured["wql"] == pytest.approx(measured["wape"])
    assert "coverage" not in measured


def test_weighted_quantile_loss_by_hand():
    labels, scores = np.array([4.0, 6.0]), np.array([[5.0, 1.0, 7.0], [5.0, 1.0, 5.0]])
    # Pinball: .5, .3, .3 of the first row; .5, .5, .9 of the second.
    expected = 2 * (1.1 + 1.9) / 3 / 10
    measured = Forecast().prepare(labels, scores, None).measure(np.ones((1, 2)))
    assert measured["wql"] == pytest.approx(expected)
    assert measured["coverage"] == pytest.approx(0.5)


def table(rows=1200, seed=0):
    scale, factor, units = sales(rows, seed)
    return pd.DataFrame(
        {
            "product": np.arange(rows) % 40,
            "week": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows) // 40 * 7, unit="D"),
            "scale": scale,
            "factor": factor,
            "units": units,
        }
    )


def test_a_model_learns_over_the_scale_and_answers_in_units():
    rows = table()
    target = find_target(rows, DATASET, Training(), Evaluation(quantiles=[0.1, 0.5, 0.9]))
    split = split_rows(rows, target, DATASET, Split(strategy="time"))
    assert split["scale"].equals(rows["scale"])
    assert split["label"].equals(rows["units"])
    encoded = rows[["factor"]].astype("float32")
    training = Training(model="mlp", width=16, layers=1, epochs=60, learning_rate=0.02, seed=1)
    model, _, held_out = train_model(encoded, split, target, training)
    test = split["part"] == "test"
    forecasts = model.predict(encoded[test], rows.loc[test, "scale"].to_numpy())
    level = rows.loc[test, "scale"] * rows.loc[test, "factor"]
    assert np.abs(forecasts[:, 0] - level).sum() / level.sum() < 0.1
    truth = rows.loc[test, "units"].to_numpy()
    assert ((forecasts[:, 1] <= truth) & (truth <= forecasts[:, 2])).mean() > 0.7
    assert np.corrcoef(held_out["model"], rows.loc[held_out.index, "units"])[0, 1] > 0.9


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_divides_nothing_is_said_with_its_row(wrong):
    rows = table(200)
    rows.loc[7, "scale"] = wrong
    with pytest.raises(DataError, match=r"'scale' \(dataset\.scale\) holds .* in row 7, one of 1 rows"):
        split_rows(rows, Target(Forecast()), DATASET, Split(strategy="time"))


def test_a_slice_keeps_all_periods_of_a_series_at_an_origin():
    rows = pd.concat([table(400).assign(ahead=ahead) for ahead in (1, 2, 3)]).sort_values(["week", "product"])
    rows = rows.reset_index(drop=True)
    split = split_rows(rows, Target(Forecast()), DATASET, Split(strategy="time", rows=120))
    used = rows[split["part"] != "gap"]
    assert len(used) <= 120
    assert (used.groupby(["week", "product"]).size() == 3).all()


def test_a_forecast_is_replaced_only_by_one_of_the_same_quantiles():
    assert Forecast().differs_from(replace(Forecast(), asked=(0.1, 0.5, 0.8, 0.9))) is not None
