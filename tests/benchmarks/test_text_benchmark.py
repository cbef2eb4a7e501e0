"""How texts are divided and what is told of them; nothing is fitted but a small linear model."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("text")


def test_every_table_declares_its_parts(text):
    for table in text.TEXT_TABLES.values():
        assert (table.declared.split.strategy, table.declared.split.column) == ("column", "part")


def test_drawn_texts_hold_no_blanks_and_each_row_is_tested_once(text, tmp_path):
    drawn = text.TEXT_TABLES["without blanks"].make(text.Sources(tmp_path, None), 0)
    assert not drawn["text"].str.contains(r"\s").any()
    parts = drawn["part"].value_counts()
    assert parts.to_dict() == {"train": 2400, "validation": 800, "test": 800}


def test_groups_are_not_divided(text):
    groups = text.pd.Series(np.repeat(np.arange(20), 3))
    parts = import_module("text_tables")._fold_parts(groups, groups, 4)
    assert text.pd.Series(parts).groupby(groups).nunique().max() == 1


def test_a_table_that_is_not_bundled_asks_for_its_folder(text, tmp_path):
    with pytest.raises(SystemExit, match="--data"):
        text.TEXT_TABLES["intents"].make(text.Sources(tmp_path, None), 0)


def test_the_lead_is_over_the_best_opponent(text):
    labels = np.arange(40) % 3
    scores = {text.OURS: np.zeros(40), "good": (np.arange(40) % 4 == 0) * 1.0, "bad": np.ones(40)}
    lead = text.lead_of("multiclass", [text.KeptRows(labels, "row", np.arange(40), scores)], text.OURS)
    assert (lead["of"], lead["lead"]) == ("good", 0.25)
    assert 0 < lead["low"] < 0.25 < lead["high"]
