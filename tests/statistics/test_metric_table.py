"""The table of metrics: what it says is what the functions that measure do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lepton_pipeline.statistics.measures import measure, rank
from lepton_pipeline.statistics.metric_table import (
    BINARY,
    METRICS,
    TABLES,
    headline_first,
    higher_is_better,
    table_of,
)

LABELS = np.array([0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1], dtype=float)


def measured(scores):
    found = measure(rank(np.asarray(scores, dtype=float), LABELS), 0.5, np.ones((1, len(LABELS))))
    return {name: float(value[0]) for name, value in found.items()}


def test_each_logged_metric_of_two_classes_is_measured_and_ranks_a_perfect_model_first():
    perfect, poor = measured(LABELS), measured(1 - LABELS)
    logged = {metric.name for metric in BINARY if metric.logged}
    assert logged == set(perfect)
    for name in logged:
        assert (perfect[name] > poor[name]) is higher_is_better(name)


def test_no_metric_exceeds_its_bound():
    for name, value in (*measured(1 - LABELS).items(), *measured(LABELS).items()):
        most = METRICS[name].most
        assert most is None or value <= most
    # The log loss of a certain error has no bound.
    assert measured(1 - LABELS)["log_loss"] > 1


def test_a_name_means_the_same_in_every_table():
    assert all(METRICS[metric.name] is metric for table in TABLES for metric in table)


def test_a_shared_metric_decides_where_a_gate_may_use_it():
    assert table_of("log_loss") == table_of("macro_f1")
    assert table_of("rmse") == ["rmse", "mae", "r2", "mape", "wape", "bias", "coverage", "width"]


def test_the_headline_comes_first_and_what_is_not_logged_is_left_out():
    assert headline_first("f1", ["recall", "brier", "f1", "auc", "unheard"]) == ["f1", "auc", "brier"]
    assert headline_first("ndcg", ["brier", "auc"]) == ["auc", "brier"]
    assert table_of("f1")[0] == "auc"
    with pytest.raises(KeyError, match="unheard is in no table"):
        table_of("unheard")


def test_it_is_light():
    code = "import sys, lepton_pipeline.statistics.metric_table; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pydantic", "pandas"} & set(imported.stdout.split())
