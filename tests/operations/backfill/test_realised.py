from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.operations.backfill.grid import make_grid
from lepton_pipeline.operations.backfill.realised import (
    BackfillResult,
    Summary,
    as_table,
    assign_periods,
    describe,
    realise,
    summarise,
)
from lepton_pipeline.operations.backfill.walk import ALWAYS, NEVER, POLICY, DatedDecision
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.task import Task

NOW = datetime(2026, 6, 15, tzinfo=UTC)
EVALUATION = Evaluation(resamples=100)
BINARY = Binary()


def width(figure):
    return figure.high - figure.low


@dataclass(frozen=True)
class Known:
    """A model whose scores of all rows are known; `told` hears of what it scores."""

    given: pd.Series
    told: Callable = lambda scored: None
    name: str = ""
    task: Task = BINARY
    threshold = 0.5

    def scores(self, rows):
        self.told((self.name, len(rows)))
        return self.given.loc[rows.index].to_numpy()


def dataset(**changes):
    return Dataset(target="bought", positive=1, time="day", present="2026-06-15", **changes)


@pytest.mark.parametrize(
    ("delay", "places"),
    # At the very date a label without delay is known, so that the model of that date may have learnt from the row.
    [(0, [-1, -1, 0, 0, 1, 1]), ("2d", [-1, 0, 0, 1, 1, -1])],
)
def test_a_row_belongs_to_the_first_period_whose_model_cannot_know_it(delay, places):
    days = ["2025-12-31", "2026-01-01", "2026-01-02", "2026-01-08", "2026-01-09", "2026-01-15"]
    grid = make_grid("2026-01-01", "2026-01-08", "1w", NOW)
    found = assign_periods(pd.DataFrame({"day": pd.to_datetime(days)}), dataset(label_delay=delay), grid)
    assert list(found) == places


def test_times_with_a_zone_and_numbers_have_periods_too():
    zoned = pd.DataFrame({"day": pd.to_datetime(["2026-01-01T00:30+01:00", "2026-01-01T01:30+01:00"])})
    grid = make_grid("2026-01-01", "2026-01-01", "1d", NOW)
    assert list(assign_periods(zoned, dataset(), grid)) == [-1, 0]
    numbers = pd.DataFrame({"day": [1, 2, 3, None]})
    assert list(assign_periods(numbers, dataset(), make_grid("1", "1", "1", NOW))) == [-1, 0, -1, -1]
    with pytest.raises(DataError, match="--from, --to: '2026-01-01' does not compare with column 'day'"):
        assign_periods(numbers, dataset(), grid)


@pytest.fixture
def table():
    """Two weeks of 200 rows each, and one whose labels are not known yet."""
    rng = np.random.default_rng(7)
    rows = 600
    days = pd.Timestamp("2026-05-25") + pd.to_timedelta(np.arange(rows) * (21 / rows) + 0.01, unit="D")
    return pd.DataFrame({"day": days, "signal": rng.normal(size=rows), "bought": rng.integers(0, 2, rows)})


def models(table):
    """One knows the labels, one is guessing, one knows all but the sign."""
    truth = table["bought"] * 0.5 + 0.25
    return {"good": truth, "guess": table["signal"].rank(pct=True), "wrong": 1 - truth}


def test_each_strategy_is_measured_with_the_model_that_it_used(table):
    scores = models(table)
    asked = []

    def load(name):
        return Known(scores[name], asked.append, name)

    grid = make_grid("2026-05-25", "2026-06-08", "1w", NOW)
    in_use = {POLICY: ["wrong", "good", "good"], NEVER: ["wrong"] * 3, ALWAYS: ["wrong", "good", "guess"]}
    # At noon of the second week's end, with labels after three days, the third week is unknown.
    periods = realise(table, dataset(label_delay="7d"), grid, in_use, load, "auc", EVALUATION)
    assert [period.rows for period in periods] == [200, 200, 0]
    assert [period.figures[POLICY] and period.figures[POLICY].value for period in periods] == [0.0, 1.0, None]
    assert [period.figures[NEVER] and period.figures[NEVER].value for period in periods] == [0.0, 0.0, None]
    # A model that several strategies use scores once.
    assert asked == [("wrong", 200), ("good", 200), ("wrong", 200)]
    assert (periods[0].since, periods[0].until, periods[2].until) == (
        "2026-05-25",
        "2026-06-01",
        "2026-06-15",
    )


def test_a_strategy_without_a_model_and_a_period_of_few_rows_have_no_figure(table):
    def load(name):
        return Known(models(table)[name])

    grid = make_grid("2026-05-25", "2026-06-08", "1w", NOW)
    in_use = {POLICY: [None, "good", "good"], NEVER: ["good"] * 3, ALWAYS: ["good"] * 3}
    few = table[(table["day"] < "2026-06-08") | (table.index % 10 == 0)]
    periods = realise(few, dataset(), grid, in_use, load, "auc", EVALUATION)
    assert [period.figures[POLICY] is None for period in periods] == [True, False, True]
    assert [period.figures[NEVER] is None for period in periods] == [False, False, True]
    found = summarise(periods, "auc")
    assert found.periods == 1
    assert found.difference[NEVER] == Estimate(0.0, 0.0, 0.0)
    assert summarise(periods[:1], "auc") == Summary(0, {}, {})


def test_periods_count_the_same_and_differences_are_paired(table):
    rng = np.random.default_rng(11)
    noisy = table["bought"] + rng.normal(scale=1.2, size=len(table))
    scores = {
        "one": pd.Series(noisy.rank(pct=True), table.index),
        # All but the same order: a difference of which the interval is narrow.
        "two": pd.Series((noisy + rng.normal(scale=0.05, size=len(table))).rank(pct=True), table.index),
    }
    grid = make_grid("2026-05-25", "2026-06-08", "1w", NOW)
    in_use = {POLICY: ["one"] * 3, NEVER: ["two"] * 3, ALWAYS: ["one"] * 3}
    load = lambda name: Known(scores[name])  # noqa: E731
    periods = realise(table, dataset(), grid, in_use, load, "auc", EVALUATION)
    found = summarise(periods, "auc")
    values = [period.figures[POLICY].value for period in periods]
    assert found.mean[POLICY].value == pytest.approx(np.mean(values))
    assert found.difference[ALWAYS] == Estimate(0.0, 0.0, 0.0)
    paired, own = found.difference[NEVER], found.mean[POLICY]
    assert paired.low < paired.value < paired.high
    assert width(paired) < width(own) / 3


def test_groups_widen_what_was_realised_also_where_they_are_in_several_periods(table):
    rng = np.random.default_rng(12)
    week = table.loc[:199].assign(customer=np.arange(200))
    noisy = (week["bought"] + rng.normal(scale=1.2, size=200)).rank(pct=True)
    # Every customer has a row in both weeks, and nothing new is to be learnt from the second.
    both = pd.concat([week, week.assign(day=week["day"] + pd.Timedelta("7D"))], ignore_index=True)
    scores = pd.concat([noisy, noisy], ignore_index=True)
    grid = make_grid("2026-05-25", "2026-06-01", "1w", NOW)
    load = lambda name: Known(scores)  # noqa: E731
    in_use = dict.fromkeys((POLICY, NEVER, ALWAYS), ["one"] * 2)

    by_row, by_group = (
        realise(both, dataset(**roles), grid, in_use, load, "auc", EVALUATION)
        for roles in ({}, {"group": "customer"})
    )
    one = width(by_group[0].figures[POLICY])
    assert width(summarise(by_group, "auc").mean[POLICY]) == pytest.approx(one, rel=0.2)
    assert width(summarise(by_row, "auc").mean[POLICY]) == pytest.approx(one / np.sqrt(2), rel=0.2)


def test_a_metric_that_is_better_if_lower_is_ahead_where_it_is_lower():
    rng = np.random.default_rng(3)
    days = pd.Timestamp("2026-05-25") + pd.to_timedelta(np.arange(280) * (14 / 280) + 0.01, unit="D")
    table = pd.DataFrame({"day": days, "price": rng.normal(100, 10, 280)})
    errors = rng.normal(size=280)
    scores = {name: table["price"] + scale * errors for name, scale in (("near", 1.0), ("far", 3.0))}
    roles = Dataset(target="price", task="regression", time="day", present="2026-06-15")
    grid = make_grid("2026-05-25", "2026-06-01", "1w", NOW)
    load = lambda name: Known(scores[name], task=Regression())  # noqa: E731
    in_use = {POLICY: ["near"] * 2, NEVER: ["far"] * 2, ALWAYS: ["near"] * 2}
    periods = realise(table, roles, grid, in_use, load, "rmse", EVALUATION)
    assert [period.positives for period in periods] == [None, None]
    root = np.sqrt(np.mean(errors[:140] ** 2))
    assert periods[0].figures[POLICY].value == pytest.approx(root)
    assert periods[0].figures[NEVER].value == pytest.approx(3 * root)
    found = summarise(periods, "rmse")
    assert found.difference[NEVER].value == pytest.approx(2 * found.mean[POLICY].value)
    assert found.difference[NEVER].low > 0
    always = found.difference[ALWAYS]
    assert [str(end) for end in (always.value, *always.ends)] == ["0.0", "0.0", "0.0"]


def test_a_class_that_an_earlier_model_does_not_know_is_left_out_for_all():
    rng = np.random.default_rng(5)
    days = pd.Timestamp("2026-05-25") + pd.to_timedelta(np.arange(210) * (7 / 210) + 0.01, unit="D")
    table = pd.DataFrame({"day": days, "kind": rng.choice(["a", "b", "c", "d"], 210)})
    sure = {
        name: pd.DataFrame({each: np.where(table["kind"] == each, 0.9, 0.03) for each in name})
        for name in ("abc", "abcd", "dcba")
    }
    load = lambda name: Known(sure[name], task=Multiclass(list(name)))  # noqa: E731
    roles = Dataset(target="kind", classes="all", time="day", present="2026-06-15")
    grid = make_grid("2026-05-25", "2026-05-25", "1w", NOW)
    in_use = {POLICY: ["abcd"], NEVER: ["abc"], ALWAYS: ["dcba"]}
    (period,) = realise(table, roles, grid, in_use, load, "accuracy", EVALUATION)
    new = int((table["kind"] == "d").sum())
    assert (period.rows, period.unread) == (210 - new, new)
    # Places differ between models, classes do not.
    assert [period.figures[each].value for each in in_use] == [1.0, 1.0, 1.0]
    found = describe("shop", "accuracy", grid, [decision(grid)], [period], {}, [])
    assert found.notes == [
        f"{new} rows have a target that a model in use could not predict, and were left out"
    ]
    assert "positives" not in as_table(found)
    assert from_json(BackfillResult, to_json(found)) == found


def decision(grid):
    whole = dict.fromkeys(("due", "promoted", "model"), False) | {"triggers": (), "alarms": (), "drifted": ()}
    rest = {"why": "", "version": None, "gate": "", "new_rows": 9, "champion": None}
    return DatedDecision(date=grid.names()[0], **whole, **rest)
