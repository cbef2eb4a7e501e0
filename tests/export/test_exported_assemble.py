"""The whole model as a file: what it says of rows is what the model says."""

from __future__ import annotations

import numpy as np
import pytest
from exported import artefacts, loan_shop, require_onnx, scaled_shop, table_of

from lepton_pipeline.export.assemble import assemble_graph
from lepton_pipeline.export.parity import check_parity, feed_of, run_file

require_onnx()


@pytest.mark.parametrize(
    "name", ["loans", "wines", "houses", "scaled", "calibrated loans", "calibrated wines"]
)
def test_a_file_says_of_every_row_what_the_model_says(few_trees, name):
    artefact, table = artefacts()[name], table_of(name)
    content = assemble_graph(artefact, {}).SerializeToString()
    parity = check_parity(artefact, content, table, table.iloc[:, -1].std() if name == "houses" else 1.0)
    assert parity.rows == len(table)
    assert parity.made > 64
    assert parity.difference < 1e-6


def test_one_row_and_many_rows_have_the_same_result(few_trees):
    artefact, table = loan_shop().artefact, loan_shop().table
    content = assemble_graph(artefact, {}).SerializeToString()
    feed = feed_of(artefact, table)
    many = run_file(content, feed)["probability"]
    for row in range(0, 60, 7):
        (one,) = run_file(content, {name: values[row : row + 1] for name, values in feed.items()})[
            "probability"
        ]
        np.testing.assert_allclose(one, many[row], rtol=0, atol=1e-7)
    none = run_file(content, {name: values[:0] for name, values in feed.items()})
    assert {name: values.shape for name, values in none.items()} == {
        "probability": (0, 1),
        "decision": (0, 1),
    }


def test_inputs_are_derived_columns_and_the_scale(few_trees):
    loans = assemble_graph(loan_shop().artefact, {}).graph
    assert {each.name for each in loans.input} == set(loan_shop().artefact.encoder.inputs)
    assert "rate" in {each.name for each in loans.input}
    assert "usual" in {each.name for each in assemble_graph(scaled_shop().artefact, {}).graph.input}


def test_a_row_without_a_scale_has_no_number():
    artefact, table = scaled_shop().artefact, scaled_shop().table
    content = assemble_graph(artefact, {}).SerializeToString()
    feed = feed_of(artefact, table.head(4)) | {"usual": np.array([[1.0], [0.0], [-1.0], [np.nan]])}
    assert np.isnan(run_file(content, feed)["prediction"][:, 0]).tolist() == [False, True, True, True]
