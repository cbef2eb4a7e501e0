"""`LEPTON_ROWS` and `LEPTON_EPOCHS`: what a run on a slice declares."""

from __future__ import annotations

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.slice import sliced

DECLARED = Vertical(dataset={"target": "bought", "positive": "yes"}, about={"caution": "Synthetic data."})


def test_nothing_changes_where_nothing_is_asked():
    assert sliced(DECLARED, {}) is DECLARED
    assert sliced(DECLARED, {"LEPTON_ROWS": ""}) is DECLARED


def test_rows_and_epochs_are_capped_and_the_caution_says_so():
    found = sliced(DECLARED, {"LEPTON_ROWS": "2000", "LEPTON_EPOCHS": "3"})
    assert (found.split.rows, found.training.epochs) == (2000, 3)
    assert found.about.caution == (
        "Synthetic data; a slice, not a real run: at most 2,000 rows (LEPTON_ROWS), at most 3 epochs (LEPTON_EPOCHS)"
    )
    # A declaration that was recorded is read again when the run is reproduced.
    assert sliced(found, {"LEPTON_ROWS": "2000", "LEPTON_EPOCHS": "3"}) is found


def test_a_declaration_that_asks_for_less_stands():
    few = Vertical.model_validate({**DECLARED.model_dump(), "split": {"rows": 50}, "training": {"epochs": 2}})
    found = sliced(few, {"LEPTON_ROWS": "2000", "LEPTON_EPOCHS": "3"})
    assert (found.split.rows, found.training.epochs) == (50, 2)
    found = sliced(few, {"LEPTON_EPOCHS": "1"})
    assert (found.split.rows, found.training.epochs) == (50, 1)


@pytest.mark.parametrize("value", ["many", "0", "-5", "2.5", "٣"])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(
        ConfigurationError, match=f"LEPTON_ROWS: {value!r} must be a whole number above 0; unset it"
    ):
        sliced(DECLARED, {"LEPTON_ROWS": value})
