"""A batch whose values no training row had: it stops, or is scored with a warning."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.unseen import Unseen, UnseenCounts
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Scoring
from lepton_pipeline.scoring.check import CheckedRows, Declared, check_input
from lepton_pipeline.scoring.result import ScoringContract
from lepton_pipeline.scoring.score import score_input
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.terminal.scoring import scoring_markdown

VERSION = ModelVersion("shop", 3, "champion", "r", "w")
SHOPS = CategoricalColumn.fit(pd.Series(["01", "02", "A"] * 20, name="shop"), "text")
AREAS = CategoricalColumn.fit(pd.Series(["0", "a"] * 20, name="area"), "text")
MODEL = SimpleNamespace(
    inputs={"shop": "text"},
    numbers=[],
    threshold=0.5,
    task=Binary(),
    prediction_types=Binary().prediction_types(),
    derivation=Derivation({}, {}),
    raw_values=None,
    unseen_counts=lambda: UnseenCounts([SHOPS, AREAS], Derivation({}, {"area": "lower(shop)"})),
    predict=lambda rows: pd.DataFrame(
        {"probability": 0.5, "decision": np.full(len(rows), True)}, index=rows.index
    ),
)


def run(rows, folder, **scoring):
    """Result of the check, and the record of the scoring."""
    declared = Declared(
        Dataset(target="bought", positive="yes"),
        Ingestion(),
        Contract(),
        Features(),
        Scoring(reasons=0, chunk_rows=20, **scoring),
    )
    checked, left_out, _ = check_input(rows, MODEL, declared)
    checked = from_json(ScoringContract, to_json(checked))
    return checked, lambda: score_input(
        CheckedRows(rows, checked, left_out), MODEL, VERSION, folder, declared
    )


def test_a_batch_of_codes_that_lost_their_zeros_stops_before_a_row_is_scored(tmp_path):
    checked, score = run(pd.DataFrame({"shop": ["1", "2"] * 30}), tmp_path)
    assert checked.unseen["shop"].unseen == 60
    with pytest.raises(DataError) as error:
        score()
    assert "column 'shop': 60 of 60 values were never seen in training, e.g. '1' (row 0), '2' (row 1)" in str(
        error.value
    )
    assert "likely cause: lost leading zeros ('1' for '01')" in str(error.value)
    assert "scoring.unseen: warn (--params shop.scoring.unseen=warn)" in str(error.value)
    assert not list(tmp_path.iterdir())
    assert "**warning**: column 'shop': 60 of 60" in scoring_markdown({"scoring_contract": checked})


def test_a_new_shop_is_scored_where_that_is_declared_and_said(tmp_path):
    checked, score = run(pd.DataFrame({"shop": ["B"] * 60}), tmp_path, unseen="warn")
    _, record = score()
    assert record.scored == 60
    assert record.unseen["shop"].share == 1
    assert record.unseen["shop"].cause is None
    lines = scoring_markdown({"scoring_contract": checked, "scoring_record": record})
    assert "column 'shop': 60 of 60 values were never seen in training, e.g. 'B' (row 0)" in lines
    # Of the derived column, too.
    assert "column 'area': 60 of 60 values were never seen in training, e.g. 'b' (row 0)" in lines


@pytest.mark.parametrize(("shop", "rows", "unseen"), [("1", 49, 49), ("A", 60, 0)])
def test_a_small_batch_is_scored_with_a_warning_and_one_of_known_values_without(tmp_path, shop, rows, unseen):
    checked, score = run(pd.DataFrame({"shop": [shop] * rows}), tmp_path)
    _, record = score()
    assert (record.scored, record.unseen["shop"].unseen if "shop" in record.unseen else 0) == (rows, unseen)
    assert ("never seen" in scoring_markdown({"scoring_contract": checked})) == bool(unseen)


def test_the_declared_share_stops(tmp_path):
    rows = pd.DataFrame({"shop": ["1"] * 12 + ["A"] * 48})
    run(rows, tmp_path / "default")[1]()
    with pytest.raises(DataError, match=r"20% or more of the values here are new(.|\n)*'shop': 12 of 60"):
        run(rows, tmp_path / "declared", unseen_share=0.2)[1]()


def test_many_columns_are_counted_in_one_line():
    found = {f"c{at}": Unseen(f"c{at}", 100, 0, 100 - at, 0, at, None, True, [], None) for at in range(13)}
    contract = ScoringContract(
        *("contract", True, 100, 0, 0.05, [], [], []), {}, [], "", "", {}, left_out=[], unseen=found
    )
    lines = scoring_markdown({"scoring_contract": contract}).splitlines()[1:]
    assert lines[0].startswith("- **warning**: column 'c12': 12 of 100 values")
    assert lines[10:] == ["- **warning**: values never seen stand in 3 more columns, see contract.json"]
