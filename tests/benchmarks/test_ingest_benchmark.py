"""The benchmark's rows and its arithmetic; nothing is timed, and few rows are read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("ingest")


def test_both_sides_read_the_same_rows_and_ours_checks_them(ingest, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "_ROWS_A_BLOCK", 150)
    ingest.write_rows(400, tmp_path / "rows.csv")
    ours = ingest.run_ours(tmp_path / "rows.csv", tmp_path)
    bare = ingest.run_bare(tmp_path / "rows.csv", tmp_path)
    assert (list(ours), list(bare)) == (list(ingest.STAGES), ["stream"])
    clean, texts = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("clean_table", "bare"))
    assert (len(clean), list(clean.columns)) == (400, list(texts.columns))
    assert clean["id"].tolist() == list(range(1, 401))
    assert clean["key"].astype(str).tolist() == texts["key"].tolist()
    assert clean.dtypes.astype(str)[["key", "at", "postcode", "x0"]].tolist() == [
        "uint64",
        "datetime64[us]",
        "str",
        "float64",
    ]


def test_the_report_says_the_ratio_of_medians_and_the_largest_memory(ingest):
    def side(cpu: float, peak: float) -> Any:
        return ingest.Side(2 * cpu, cpu, peak, dict.fromkeys(ingest.STAGES, cpu / 3))

    ours, bare = (
        [side(30, 900.0), side(90, 800.0), side(24, 700.0)],
        [side(3, 200.0), side(2, 210.0), side(9, 205.0)],
    )
    assert ingest.ratio(ours, bare) == 10
    text = ingest.report(1_000, 1 << 20, ours, bare)
    assert "Ratio of CPU seconds: 10.0. Goal: 5,000,000 rows within 2,048 MiB; 1,000 were measured." in text
    assert "900 MiB for 5,000,000" in ingest.report(5_000_000, 1 << 20, ours, bare)
