"""What the benchmarks of Ray and Spark count and report; no cluster is started."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from importlib import import_module

import pandas as pd
import pytest
from conftest import REPOSITORY


@pytest.fixture
def two_nodes(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    return import_module("two_nodes")


@pytest.fixture
def spark(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    return import_module("spark")


def test_usage_counts_what_was_added_and_the_largest_sum(two_nodes):
    before, during = two_nodes.Usage(), two_nodes.Usage()
    before.note(iter([(1, 5.0, 100.0)]))
    during.note(iter([(1, 6.0, 100.0), (2, 1.0, 50.0)]))
    during.note(iter([(1, 8.0, 90.0)]))
    assert during.since(before) == 4.0
    assert during.peak == 150.0


def test_processes_below_this_one_are_found(two_nodes):
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:
        assert child.pid in {number for number, _, _ in two_nodes.descendants(os.getpid())}
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.close()
        child.wait()
    assert child.pid not in {number for number, _, _ in two_nodes.descendants(os.getpid())}


def test_a_scoring_with_other_bytes_is_said(two_nodes):
    same = two_nodes.Scoring("one process", 0, 10.0, 5.0, 8.0, 0.0, 600.0, 0.0, "a" * 64)
    stopped = two_nodes.Scoring("stopped", 143, 3.0, 0.0, 2.0, 1.0, 500.0, 900.0, "")
    other = two_nodes.Scoring("two nodes", 0, 10.0, 5.0, 8.0, 0.0, 600.0, 0.0, "b" * 64)
    assert "all 1 whole scorings are the same" in two_nodes.report(1000, [same, stopped])
    assert "all 2 whole scorings are NOT the same" in two_nodes.report(1000, [same, stopped, other])


def test_rows_that_differ_by_a_bit_are_counted(spark):
    ids = pd.Index([1, 2, 3], name="ID")
    alone = pd.DataFrame({"probability": [0.1, 0.2, 0.3], "decision": [False, False, True]}, index=ids)
    assert spark.differing(alone, alone.iloc[::-1]) == 0
    off = alone.assign(probability=[0.1, math.nextafter(0.2, 1), 0.3], decision=[True, False, True])
    assert spark.differing(alone, off) == 2
