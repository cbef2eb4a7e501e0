"""The served model says which values no training row had; in process, with encoders of a few rows."""

from __future__ import annotations

import logging
import warnings
from types import SimpleNamespace

import pandas as pd
import pytest

from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.unseen import UnseenCounts


@pytest.fixture
def model():
    columns = [
        CategoricalColumn.fit(pd.Series(["TRUE", "FALSE"] * 30, name=f"c{at}"), "text") for at in range(8)
    ]
    with warnings.catch_warnings():
        # MLflow's own types are too wide for its taste.
        warnings.simplefilter("ignore", UserWarning)
        from lepton_pipeline.registry.served_model import ServedModel
    served = ServedModel()
    served.artefact = SimpleNamespace(
        recommender=None,
        read=lambda rows: rows,
        predict=lambda rows: pd.DataFrame({"probability": 0.5, "decision": True}, index=rows.index),
        reasons=lambda rows, count: ["c0 = x (+0.10)"] * len(rows),
        unseen_counts=lambda: UnseenCounts(columns, Derivation({}, {})),
    )
    return served


def test_a_row_with_a_new_value_is_scored_and_logged(model, caplog):
    answer = model.predict(None, pd.DataFrame({"c0": ["True", "TRUE"], "c1": ["FALSE", "x\n\x1b[0m"]}))
    assert list(answer) == ["probability", "decision"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    first, second = record.getMessage().split("; column ")
    assert first == (
        "column 'c0': 1 of 2 values were never seen in training, e.g. 'True' (row 0); likely cause: capital and small "
        "letters ('True' for 'TRUE')"
    )
    assert second == r"'c1': 1 of 2 values were never seen in training, e.g. 'x\n\x1b[0m' (row 1)"


def test_rows_of_known_values_are_not_logged(model, caplog):
    answer = model.predict(None, pd.DataFrame({"c0": ["TRUE", None]}), {"unseen": True, "reasons": 1})
    assert list(answer) == ["probability", "decision", "reasons", "unseen"]
    assert answer["unseen"].tolist() == ["", ""]
    assert not caplog.records


def test_new_values_stand_in_the_answer_where_that_is_asked(model):
    answer = model.predict(
        None, pd.DataFrame({"c0": ["True", "TRUE"], "c1": ["1", "TRUE"]}), {"unseen": True}
    )
    assert answer["unseen"].tolist() == ["c0 = True; c1 = 1", ""]


def test_a_large_request_is_never_refused_and_its_log_is_short(model, caplog):
    rows = pd.DataFrame({f"c{at}": ["x" * 10_000] * 50 for at in range(8)})
    assert len(model.predict(None, rows)) == 50
    (record,) = caplog.records
    assert record.getMessage().endswith("; and 3 more columns; batch scoring would stop")
    assert len(record.getMessage()) < 1000
