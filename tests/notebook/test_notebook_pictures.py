"""The table of runs, and pictures for notebooks."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pandas as pd
import pytest

from lepton_pipeline.evaluation.distributions import Distribution, Distributions, Part
from lepton_pipeline.notebook.pictures import (
    Picture,
    draw_columns,
    draw_runs,
    draw_training,
    tabulate_runs,
)
from lepton_pipeline.runs.compare import ComparableRuns, ComparedRun, Comparison
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.tasks.binary import Binary


def run(name, auc=None, **changes):
    figures = {"auc": Estimate(auc, auc - 0.05, auc + 0.05)} if auc else {}
    given = {
        "run_id": name * 8,
        "name": "as declared",
        "status": "FINISHED",
        "started": datetime(2026, 1, 2, tzinfo=UTC),
        "seconds": 3.0,
        "figures": figures,
        "baseline": Estimate(0.71) if auc else None,
        "decision": "promoted",
        "reason": "the first",
        "version": None,
        "aliases": (),
        "parameters": {},
        "seed": "7",
        "rows": "10",
        "commit": "",
        "resumed": False,
        "error": "",
    }
    return ComparedRun(**given | changes)


def comparison(groups, others=()):
    groups = [ComparableRuns("", "", {}, list(group), 0) for group in groups]
    return Comparison("shop", "auc", ["auc"], groups, list(others), [])


CHAMPION = run("a", 0.8, version=3, aliases=("champion",))
OLDER, FAILED = run("b", 0.75), run("c", status="FAILED", decision="", reason="", error="LeptonError: <lost>")


def test_runs_have_a_row_each_with_why_they_failed():
    styler = tabulate_runs(comparison([[CHAMPION], [OLDER]], [FAILED]))
    rows = styler.data.set_index("run")
    assert rows.index.to_list() == ["aaaaaaaa", "bbbbbbbb", "cccccccc"]
    assert rows["test rows"].to_list() == ["latest", "other", ""]
    assert rows["version"].to_list() == ["version 3 champion", "", ""]
    assert rows.loc["aaaaaaaa", ["AUC", "low", "high", "boosting"]].to_list() == pytest.approx(
        [0.8, 0.75, 0.85, 0.71]
    )
    assert rows.loc["cccccccc", ["status", "note"]].to_list() == ["failed", "LeptonError: <lost>"]
    html = styler.to_html()
    assert "<lost>" not in html
    assert "font-weight: bold" in html


def test_runs_on_other_test_rows_are_parted_and_said():
    alone, both = (
        draw_runs(comparison([[CHAMPION]])),
        draw_runs(comparison([[CHAMPION, OLDER], [OLDER]], [FAILED])),
    )
    assert b"other test rows" not in alone.svg
    assert b'class="limit"' not in alone.svg
    assert b"2 runs on the latest test rows, the best first; 1 run on other test rows below" in both.svg
    assert both.svg.count(b'<path class="limit"') == 1
    assert both.title == "shop: 3 runs by AUC"
    for text in (b"v3 champion", b"0.8000  [0.750 to 0.850]", b"AUC on the test rows, higher is better"):
        assert text in both.svg


def test_without_figures_a_picture_says_so():
    assert draw_runs(comparison([], [FAILED])).title == "shop: no run has test figures yet"


def test_columns_stand_beside_each_other_with_what_is_missing():
    mean = Estimate(0.2, 0.1, 0.3)
    columns = [
        Distribution(name, 10, [], [Part("x", 20, mean), Part("y", 10, None)])
        for name in ("one", "two", "<three>")
    ]
    seen = Distributions(40, mean, columns)
    drawn = draw_columns("shop", seen, columns, Binary())
    assert drawn.title == "shop: 3 columns"
    assert drawn.svg.count("missing 25.0\N{NO-BREAK SPACE}%".encode()) == 3
    assert b"&lt;three&gt;" in drawn.svg
    lefts = [float(x) for x in re.findall(rb'<text class="bold" x="([0-9.]+)"', drawn.svg)]
    assert lefts[0] == lefts[2] < lefts[1]
    assert draw_columns("shop", seen, columns[:1], Binary()).title == "shop: one"


def test_losses_are_drawn_for_every_network():
    history = pd.DataFrame(
        {
            "network": [0, 0, 1],
            "epoch": [1, 2, 1],
            "train_loss": [0.7, 0.6, 0.7],
            "validation_loss": [0.7, 0.5, 0.6],
            "validation_auc": [0.5, 0.6, 0.6],
        }
    )
    drawn = draw_training("shop, version 1", history, Binary())
    assert drawn.title == "shop, version 1: 2 networks, up to 2 epochs"
    assert drawn.svg.count(b'class="s0 thin"') == 2


def test_a_picture_is_an_image_that_its_style_cannot_leave():
    shown = Picture('a "quote"', b"<svg><style>text { fill: red }</style></svg>")._repr_html_()
    assert "fill: red" not in shown
    assert 'alt="a &quot;quote&quot;"' in shown
    assert repr(Picture("it", b"")) == "<picture: it>"
