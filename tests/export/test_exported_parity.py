"""A file that says something else is refused, with the row and the difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exported import loan_shop, require_onnx
from tasks.shops import house_shop

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.export.assemble import assemble_graph
from lepton_pipeline.export.parity import check_parity
from lepton_pipeline.features.column_encoders import NumericColumn
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.tasks.calibration import Calibration

require_onnx()


def shifted(artefact, intercept):
    """The same model with outputs that are higher."""
    calibration = artefact.predictor.calibration
    moved = Calibration(calibration.slope, calibration.intercept + intercept)
    return replace(artefact, predictor=replace(artefact.predictor, calibration=moved))


def content(artefact):
    return assemble_graph(artefact, {}).SerializeToString()


def test_a_difference_above_the_tolerance_names_the_row(few_trees):
    artefact, table = loan_shop().artefact, loan_shop().table.head(50)
    close = check_parity(artefact, content(shifted(artefact, 2e-5)), table)
    assert 1e-6 < close.difference < 1e-5
    said = r"would not be the model: for (a made row|row \d+).* probability 0\.\d+ instead of 0\.\d+, which differ by"
    with pytest.raises(LeptonError, match=said) as caught:
        check_parity(artefact, content(shifted(artefact, 2e-4)), table)
    assert caught.value.exit_code == 1


def test_numbers_are_compared_in_spreads_of_the_target(few_trees):
    artefact, table = house_shop().artefact, house_shop().table.head(50)
    other = content(shifted(artefact, 1e-5))
    with pytest.raises(LeptonError, match=r"it says (prediction|low|high) .* differ by"):
        check_parity(artefact, other, table)
    assert check_parity(artefact, other, table, spread=10_000.0).difference < 1e-5


def test_made_rows_find_what_the_table_does_not_hold(few_trees):
    artefact, table = loan_shop().artefact, loan_shop().table

    def misread(column):
        """Another score of the largest number, which these rows have none of."""
        if isinstance(column, NumericColumn) and column.name == "months":
            return replace(column, scores=np.append(column.scores[:-1], column.scores[-1] + 1))
        return column

    wrong = replace(artefact, encoder=Encoder([misread(each) for each in artefact.encoder.columns], {}))
    unlike = table[table["months"] < 50]
    with pytest.raises(LeptonError, match="for a made row"):
        check_parity(artefact, content(wrong), unlike)


def test_a_decision_by_another_threshold_is_found(few_trees):
    artefact, table = loan_shop().artefact, loan_shop().table
    with pytest.raises(LeptonError, match=r"it decides (True|False) instead of (True|False)"):
        check_parity(replace(artefact, threshold=0.1), content(replace(artefact, threshold=0.9)), table)
