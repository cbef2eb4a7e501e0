"""Encoding in a graph has the bits of the encoder."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest
from exported import require_onnx

from lepton_pipeline.export.columns import encode_categories, encode_numbers, spellings
from lepton_pipeline.export.parity import run_file
from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn
from lepton_pipeline.system.onnx_graph import Graph

require_onnx()


def columns():
    random = np.random.default_rng(0)
    gaps = np.where(random.random(900) < 0.2, np.nan, random.lognormal(3, 2, 900))
    return {
        "many": random.normal(size=900),
        "gaps": gaps,
        "few": random.integers(0, 3, 900).astype(float),
        "one": np.where(random.random(900) < 0.5, np.nan, 4.0),
        "close": np.nextafter(1.0, 2) * random.choice([1, 1 + 1e-15, 1 + 1e-12], 900),
        "huge": random.choice([-1e308, 1e300, 0.0], 900),
    }


def test_numbers_have_the_bits_of_the_encoder():
    fitted = [NumericColumn.fit(pd.Series(values, name=name), "number") for name, values in columns().items()]
    edges = [np.nan, -1e308, 1e308, np.inf, -np.inf, 0.0, -0.0]
    random = np.random.default_rng(1)
    rows = {}
    for column in fitted:
        between = random.uniform(*np.quantile(column.quantiles, [0, 1]) / 2, size=200)
        knots = column.quantiles
        near = [knots, np.nextafter(knots, np.inf), np.nextafter(knots, -np.inf), between, edges]
        rows[column.name] = np.resize(np.concatenate(near), 1200)
    wanted: dict[str, np.ndarray] = {}
    for column in fitted:
        wanted |= column.transform(pd.Series(rows[column.name], name=column.name))
    names = sorted(wanted)
    graph = Graph()
    graph.output("encoded", encode_numbers(graph, fitted, names), np.float32, len(names))
    found = run_file(
        graph.model({}).SerializeToString(), {name: values[:, None] for name, values in rows.items()}
    )["encoded"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.column_stack([wanted[name] for name in names]))


@pytest.mark.parametrize(
    ("values", "kind", "asked"),
    [
        (["é", "b", "é", "b", None], "text", ["é", unicodedata.normalize("NFD", "é"), "b", "", "c"]),
        (
            [True, False, True, False, None],
            "boolean",
            ["True", "true", "TRUE", "1", "0", "false", "", "maybe"],
        ),
        ([12, 7, 12, 7, None], "number", ["12", "7", "", "8"]),
    ],
)
def test_categories_have_the_codes_of_the_encoder(values, kind, asked):
    column = CategoricalColumn.fit(pd.Series(values * 10, name="c", dtype=object), kind)
    graph = Graph()
    graph.output("codes", encode_categories(graph, [column], ["c"]), np.int64)
    feed = {"c": np.array(asked, dtype=object)[:, None]}
    found = run_file(graph.model({}).SerializeToString(), feed)["codes"][:, 0]
    given = pd.Series([text or None for text in asked], name="c", dtype=object)
    assert found.tolist() == column.transform(given)["c"].tolist()


def test_a_missing_category_is_an_empty_text():
    column = CategoricalColumn("c", "text", ("a", "b"))
    assert spellings(column) == {"": 0, "a": 2, "b": 3}
