"""The benchmark's arithmetic and its rows; nothing is scored."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("score")


def test_rows_have_ids_of_their_own(score, tmp_path, monkeypatch):
    monkeypatch.setattr(score, "_ROWS_A_GROUP", 4)
    score.write_rows(pd.DataFrame({"ID": [1, 2], "AGE": [30, 40]}), 10, tmp_path / "rows.parquet")
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    assert rows["ID"].tolist() == list(range(1, 11))
    assert set(rows["AGE"]) == {30, 40}


def test_the_report_says_what_is_measured_and_what_is_not(score):
    log = "finance_scoring  check_input         12.5 s\nother\nfinance_scoring  score_input         40.0 s\n"
    assert score.stage_seconds(log) == (12.5, 40.0)
    few = score.Scoring(100_000, 60.0, 50.0, 700.0, (12.5, 40.0))
    many = score.Scoring(1_100_000, 560.0, 450.0, 800.0, (112.5, 440.0))
    text = score.report([few, many])
    # 100 MiB and 400 CPU seconds a million rows.
    assert "Not measured" in text
    assert "10,000,000 rows take 1,690 MiB and 4,010 CPU seconds (goal: 2,048 MiB)" in text
    whole = score.Scoring(10_000_000, 9000.0, 8000.0, 1500.0, (1.0, 2.0))
    assert "1,500 MiB for 10,000,000" in score.report([few, whole])
