"""Judging when rows are handed over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lepton_pipeline.evaluation.scope import HANDED_OVER, Scope, judge_scope
from lepton_pipeline.parameters import ClassCosts
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass

TASK = Multiclass(list("abc"), ClassCosts(hand_over=0.3), answered_from=0.6)


def scored(rows, part, sharp, seed):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(3, 1 / sharp), rows)
    labels = np.full(rows, -1) if "scope" in part else rng.integers(0, 3, rows)
    index = pd.RangeIndex(rows) + 10_000 * seed
    return pd.DataFrame({"part": part, "label": labels, **TASK.columns("model", scores)}, index=index)


def test_figures_are_shares_of_the_rows_that_they_name():
    inside, outside = scored(400, "test", 6, 0), scored(100, "test out of scope", 2, 1)
    found = judge_scope(Target(TASK), pd.concat([inside, scored(50, "validation", 9, 2)]), outside)
    (own, others), labels = (TASK.scores(each, "model") for each in (inside, outside)), inside["label"]
    sure, right = own.max(axis=1), own.argmax(axis=1) == labels
    handed = (sure < 0.6).sum(), (others.max(axis=1) < 0.6).sum()
    expected = {
        "accuracy": right.mean(),
        "answered": (sure >= 0.6).mean(),
        "right": right[sure >= 0.6].mean(),
        "caught": handed[1] / 100,
        "strangers": handed[1] / sum(handed),
        "auc": roc_auc_score([1] * 400 + [0] * 100, np.append(sure, others.max(axis=1))),
    }
    assert {name: figure.value for name, figure in found.figures.items()} == pytest.approx(expected)
    assert all(figure.low < figure.value < figure.high for figure in found.figures.values())
    assert (found.inside, found.outside, found.threshold, found.caught) == (400, 100, 0.6, expected["caught"])


def test_lines_of_the_table_hand_over_what_they_say():
    inside, outside = scored(400, "test", 6, 0), scored(100, "test out of scope", 2, 1)
    curve = judge_scope(Target(TASK), inside, outside).curve
    assert [each.answered for each in curve] == pytest.approx([1 - share for share in HANDED_OVER], abs=0.004)
    caught = [each.caught for each in curve]
    assert caught == sorted(caught)


def test_right_is_what_costs_decide_on_not_the_likeliest_class():
    # To miss c is so dear that it is decided on unless it is all but ruled out.
    costs = ClassCosts(hand_over=0.3, matrix={"c": {"a": 99.0, "b": 99.0}})
    task = Multiclass(list("abc"), costs, answered_from=0.0)
    inside, outside = scored(400, "test", 6, 0), scored(100, "test out of scope", 2, 1)
    found = judge_scope(Target(task), inside, outside)
    assert found.curve[0].answered == 1.0
    assert found.curve[0].right == pytest.approx(found.right)
    assert found.right != pytest.approx(found.figures["accuracy"].value, abs=0.01)


def test_without_rows_out_of_scope_nothing_is_judged():
    inside = scored(40, "test", 6, 0)
    assert judge_scope(Target(TASK), inside, inside[:0]) == Scope()


def test_where_all_rows_are_handed_over_no_figure_is_made_up():
    dear = Target(Multiclass(list("abc"), ClassCosts(hand_over=0.3), answered_from=1.1))
    found = judge_scope(dear, scored(40, "test", 6, 0), scored(20, "test out of scope", 2, 1))
    assert found.right is None
    assert (found.answered, found.caught) == (0.0, 1.0)
