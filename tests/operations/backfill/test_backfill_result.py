from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
import pytest

from lepton_pipeline.operations.backfill.chart import draw_backfill
from lepton_pipeline.operations.backfill.grid import make_grid
from lepton_pipeline.operations.backfill.realised import (
    BackfillResult,
    Period,
    Summary,
    as_table,
    describe,
    figures,
    series,
)
from lepton_pipeline.operations.backfill.walk import ALWAYS, NEVER, POLICY, DatedDecision
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.terminal.backfill import backfill_markdown, print_backfill

GRID = make_grid("2026-01-01", "2026-03-01", "1mo", datetime(2026, 6, 1, tzinfo=UTC))
NAMES = GRID.names()


def dated(date, **changes):
    whole = dict.fromkeys(("due", "promoted", "model"), False) | {"triggers": (), "alarms": (), "drifted": ()}
    return DatedDecision(
        **whole
        | {"date": date, "why": "", "version": None, "gate": "", "new_rows": 9, "champion": NAMES[0]}
        | changes
    )


def period(number, policy, never, always):
    values = dict(zip((POLICY, NEVER, ALWAYS), (policy, never, always), strict=True))
    return Period(
        since=NAMES[number],
        until="later",
        rows=100,
        positives=40,
        models=dict.fromkeys(values, NAMES[0]),
        figures={
            key: None if value is None else Estimate(value, value - 0.1, value + 0.1)
            for key, value in values.items()
        },
        drawn={key: np.full(10, value) for key, value in values.items() if value is not None},
    )


@pytest.fixture
def found():
    decided = [
        dated(NAMES[0], due=True, triggers=("champion",), version=1, promoted=True),
        dated(NAMES[1], due=True, triggers=("on_drift",), version=2, alarms=("refused", "drift")),
        dated(NAMES[2], alarms=("contract",)),
    ]
    periods = [period(0, 0.8, 0.8, 0.8), period(1, 0.75, 0.7, 0.8), period(2, None, None, None)]
    return describe("shop", "auc", GRID, decided, periods, {"on_drift": True}, ["a note"])


def test_the_result_is_json_a_table_and_figures_by_step(found):
    assert from_json(BackfillResult, to_json(found)) == found
    assert (found.trainings, found.promoted, found.summary.periods) == (2, 1, 2)
    table = as_table(found)
    assert list(table["alarms"]) == ["", "refused drift", "contract"]
    assert list(table["never"].round(3)[:2]) == [0.8, 0.7]
    assert table.loc[2, ["policy", "policy.low"]].isna().all()
    values = figures(found)
    assert values["mean.policy"] == pytest.approx(0.775)
    assert values["difference.never"] == pytest.approx(0.025)
    assert values["difference.always"] == pytest.approx(-0.025)
    steps = series(found)
    assert steps[1]["realised.auc.always"] == pytest.approx(0.8)
    assert steps[1]["realised.auc.always.low"] == pytest.approx(0.7)
    assert steps[2] == {"due": 0.0, "promoted": 0.0, "alarms": 1.0}


def test_the_summary_says_what_happened_and_what_it_was_worth(found, capsys):
    print_backfill(found, {"picture": "backfill.svg"})
    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert (
        "2026-02-01 yes on_drift version 2 refused refused, drift 100 0.7500 [0.6500, 0.8500] 0.7000 0.8000"
        in lines
    )
    assert "2026-03-01 no contract 100 – – –" in lines
    assert "difference +0.0250 [+0.0000, +0.0500] against never retrained" not in lines
    assert "difference +0.0250 [+0.0250, +0.0250] against never retrained" in lines
    assert "trainings 2 of 3 dates, 1 promoted" in lines
    assert "a note" in shown
    assert "| 2026-01-01 | yes | champion | version 1 promoted |  | 100 |" in backfill_markdown(found)


def test_dates_of_both_charts_stand_below_each_other(found):
    drawn = draw_backfill(found, "").decode()
    axes = [float(end) for end in re.findall(r'class="axis" d="M[\d. V]+H([\d.]+)"', drawn)]
    assert len(axes) == 2
    assert axes[0] == axes[1]


@pytest.mark.parametrize(
    ("metric", "means"),
    [("mape", r"by the policy 81\.0\s%, never"), ("auc", r"by the policy 0\.810, never")],
)
def test_the_title_writes_a_metric_as_a_report_does(found, metric, means):
    mean = {strategy: Estimate(0.81) for strategy in found.summary.mean}
    drawn = replace(found, metric=metric, summary=replace(found.summary, mean=mean))
    assert re.search(means, draw_backfill(drawn, "").decode())


def test_the_chart_is_a_picture_of_everything_also_where_nothing_was_measured(found):
    pictures = [draw_backfill(found, "made up")]
    dates = [replace(each, realised=dict.fromkeys(each.realised)) for each in found.dates]
    pictures.append(draw_backfill(replace(found, summary=Summary(0, {}, {}), dates=dates), ""))
    assert all(b"Realised AUC" in picture and b"refused" in picture for picture in pictures)
    for picture in pictures:
        ElementTree.fromstring(picture)
    assert draw_backfill(found, "made up") == pictures[0]
