"""Intervals hold the truth about as often as they say, on a few of the samples that the benchmark draws."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> Any:
    # By its path: the package that measures the coverage of tests has the same name.
    spec = spec_from_file_location("interval_coverage", BENCHMARKS / "coverage.py")
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "POPULATION", 100_000)
    return module


def test_intervals_hold_the_truth_as_often_as_the_goal_says(coverage):
    draws = 30
    for case in coverage.CASES[:4]:
        held, approximate = coverage.cover(case, draws, resamples=100)
        fewest = binom.ppf(0.001, draws, coverage.GOAL) / draws
        assert min(held[metric] for metric in coverage.JUDGED) >= fewest, (case.name, held)
        # 600 rows with 6 % positives hold some 36 of them.
        assert (approximate > 0.5) == ("6 %" in case.name)


def test_rows_that_hang_together_must_not_be_drawn_alone(coverage):
    for case in coverage.CASES[1:3]:
        held, _ = coverage.cover(case, 30, resamples=100, by_units=False)
        assert held["log_loss"] < 0.85


def test_the_table_names_what_is_marked(coverage, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(coverage, "CASES", coverage.CASES[3:])
    monkeypatch.setattr(coverage, "POPULATION", 20_000)
    coverage.main(["--draws", "3", "--resamples", "100", "--output", str(tmp_path / "coverage.md")])
    written = (tmp_path / "coverage.md").read_text()
    assert written.strip() == capsys.readouterr().out.strip()
    assert written.splitlines()[-1].startswith("| 20 groups of 40 rows | 100% |")
