"""The benchmark's result, of made figures; nothing is fitted."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_equal_bits_are_told_from_others(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    ranks = import_module("ranks")
    found = {
        name: [ranks.Fitted(3.0, 2.0, 0.5, 0.75, weights) for weights in pair]
        for name, pair in {ranks.ALONE: "aa", ranks.RAY: "bc"}.items()
    }
    text = ranks.report(found, 1000, 4)
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    lines = {cells[1].strip(): [each.strip() for each in cells[2:-1]] for cells in rows}
    assert lines[ranks.ALONE] == ["3.0 and 3.0", "2.0 and 2.0", "0.500000", "0.750000", "a", "yes"]
    assert lines[ranks.RAY] == ["3.0 and 3.0", "—", "0.500000", "0.750000", "c", "no"]


def test_the_table_can_be_learnt_and_its_last_rows_are_held_out(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    features, labels, plan = import_module("ranks").make_table(100)
    assert len(features) == len(labels) == 100
    assert 0 < labels.mean() < 1
    assert (len(plan.folds[0].train), plan.folds[0].held_out.tolist()) == (80, list(range(80, 100)))
