"""Orders by the forecast beside those by a moving average."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from crossed_sales import DATASET, FORECAST, make_rows, make_sales, with_order

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.orders import Orders, measure_orders
from lepton_pipeline.model.order_rule import OrderRule
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.conformal import fit_upper
from lepton_pipeline.system.records import from_plain, to_plain

EVALUATION = Evaluation(resamples=200)
# Demand of both periods, by series, of the held-out origin and of two test origins.
DEMANDS = [[4, 3, 7], [10, 14, 8], [6, 6, 2]]


def by_hand():
    """The model forecasts 2 and 3, up to 4 and 5, of every series; the average is 3 and the scale 1 in each period."""
    rows = make_rows(3, {"validation": 1, "test": 2})
    place = rows["product"].str[1:].astype(int)
    at = (rows["origin"] - rows["origin"].min()).dt.days // 14
    # All demand comes in the first period.
    units = np.where(rows["ahead"] == 1, np.array(DEMANDS)[place, at], 0).astype(float)
    table = rows.drop(columns="part").assign(units=units, scale=1.0, level=3.0, naive_error=1.0, age=9)
    median = np.where(rows["ahead"] == 1, 2.0, 3.0)
    scores = pd.DataFrame(
        {
            "part": rows["part"],
            "label": units,
            "model": median,
            "model: low": 0.0,
            "model: high": median + 2,
            "moving_average": 3.0,
        }
    )
    return scores, table


def values(figures):
    return {name: figure.value for name, figure in figures.items()}


def test_factors_and_figures_are_those_by_hand():
    scores, table = by_hand()
    found = measure_orders(scores, table, DATASET, EVALUATION, with_order(service_level=0.5))
    assert (found.orders, found.held_out, found.level, found.by_costs, found.whole) == (
        6,
        3,
        0.5,
        False,
        True,
    )
    # Held-out demands are 4, 6 and 10: the second smallest of three decides, 6 = 5 + k 4 and 6 = 6 + k 2.
    assert found.factors == pytest.approx({"model": 0.25, "moving_average": 0.0})
    assert (found.factor, found.narrowest) == pytest.approx((0.25, 4.0))
    # Order-up-to levels of 6, for demands of 3, 7, 14, 8, 6 and 2; half of these are at most 6.
    same = {"service": 0.5, "stock": 6.0, "left": 7 / 6, "short": 11 / 6, "fill": 1 - 11 / 40, "needed": 6.0}
    assert values(found.figures["model"]) == pytest.approx(same)
    assert values(found.figures["moving_average"]) == pytest.approx(same)
    assert values(found.differences) == pytest.approx(dict.fromkeys(same, 0.0))
    assert values(found.shares) == pytest.approx(dict.fromkeys(("stock", "left", "short", "needed"), 0.0))


def test_costs_choose_the_level_and_are_counted():
    scores, table = by_hand()
    forecast = with_order(under=3.0, over=1.0, unit="EUR")
    found = measure_orders(scores, table, DATASET, EVALUATION, forecast)
    assert (found.level, found.by_costs, found.unit) == (0.75, True, "EUR")
    # The third smallest of three: 10 units.
    assert found.figures["model"]["stock"].value == 10
    assert found.figures["model"]["cost"].value == pytest.approx((7 + 3 + 3 * 4 + 2 + 4 + 8) / 6)
    # Five of six demands are at most 8, four at most 7.
    assert found.figures["model"]["needed"].value == 8


def test_an_order_without_all_its_periods_is_left_out():
    scores, table = by_hand()
    found = measure_orders(
        scores.drop(scores.index[-1]), table, DATASET, EVALUATION, with_order(service_level=0.5)
    )
    assert found.orders == 5


def test_there_is_nothing_without_an_order():
    scores, table = by_hand()
    for forecast in (None, FORECAST):
        assert measure_orders(scores, table, DATASET, EVALUATION, forecast) == Orders()
    assert Orders().factor is None


def test_a_model_that_knows_more_needs_less_stock_at_the_same_level():
    table, scores = make_sales(80, {"validation": 5, "test": 6})
    found = measure_orders(scores, table, DATASET, EVALUATION, with_order(service_level=0.9))
    for figures in found.figures.values():
        assert 0.87 < figures["service"].value < 0.95
    assert found.shares["needed"].high < -0.05
    assert found.shares["left"].high < 0
    assert measure_orders(scores, table, DATASET, EVALUATION, with_order(service_level=0.9)) == found
    plain = json.loads(json.dumps(to_plain(found), allow_nan=False))
    assert from_plain(Orders, plain) == found


def test_a_range_of_nought_still_grows_with_the_factor():
    table, scores = make_sales(40, {"validation": 5, "test": 4})
    flat = scores.assign(
        **{"model: high": scores["model: high"].where(scores.index % 3 > 0, scores["model"])}
    )
    found = measure_orders(flat, table, DATASET, EVALUATION, with_order(service_level=0.9))
    assert found.narrowest > 0
    assert 0.85 < found.figures["model"]["service"].value < 0.99
    assert found.figures["model"]["service"].high <= 1


def test_too_few_held_out_orders_for_the_level_are_refused():
    scores, table = by_hand()
    with pytest.raises(DataError, match=r"3 held-out orders are too few for a level of 0.95: 19 are needed"):
        measure_orders(scores, table, DATASET, EVALUATION, with_order(service_level=0.95))


def test_order_levels_are_rounded_up_where_units_are_whole():
    median, high = np.array([10.0, 4.0]), np.array([13.0, 4.0])
    assert OrderRule(2, 0.9, 0.5, 0.0, whole=False).levels(median, high).tolist() == [11.5, 4.0]
    assert OrderRule(2, 0.9, 0.5, 1.0, whole=True).levels(median, high).tolist() == [12.0, 5.0]


def test_a_share_of_new_misses_lies_below_the_upper_quantile():
    random = np.random.default_rng(2)
    below = [(random.normal(size=2000) <= fit_upper(random.normal(size=99), 0.8)).mean() for _ in range(100)]
    assert np.mean(below) == pytest.approx(0.8, abs=0.01)
