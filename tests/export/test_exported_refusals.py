"""What cannot be in a file is refused with the reason and the column."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from exported import loan_shop
from tasks.shops import review_shop, wine_shop

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.export.refusals import (
    computed_elsewhere,
    exportable_task,
    refuse_windows_and_dates,
)
from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.tasks.forecast import Forecast


def refused(artefact):
    with pytest.raises(ConfigurationError, match="cannot be exported to ONNX") as caught:
        exportable_task(artefact)
    return str(caught.value)


def test_a_text_is_named(few_trees):
    assert "column 'review' is text (dataset.text)" in refused(review_shop().artefact)


def test_forecasts_and_recommendations_are_refused(few_trees):
    artefact = wine_shop().artefact
    forecast = replace(artefact, predictor=replace(artefact.predictor, task=Forecast()))
    assert "a forecast is made of the whole history" in refused(forecast)
    assert "it ranks pairs" in refused(replace(artefact, recommender=object()))


def test_a_network_of_ones_own_is_refused(few_trees):
    artefact = wine_shop().artefact
    network = copy.copy(artefact.predictor.network)
    network.training = network.training.model_copy(update={"model": "shop.nets:Mine"})
    said = refused(replace(artefact, predictor=replace(artefact.predictor, network=network)))
    assert "'shop.nets:Mine', a network of one's own; only default, mlp, linear" in said


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (CategoricalColumn("decision", "text", ("a",)), "column 'decision' has the name of an output"),
        (
            CategoricalColumn("town", "text", ("", "a")),
            "column 'town' has an empty text among its categories",
        ),
    ],
)
def test_columns_that_would_be_mistaken_are_named(few_trees, column, said):
    artefact = wine_shop().artefact
    encoder = Encoder([*artefact.encoder.columns, column], {})
    assert said in refused(replace(artefact, encoder=encoder))


def test_windows_and_dates_are_named_and_plain_expressions_are_not(few_trees):
    artefact = loan_shop().artefact
    assert computed_elsewhere(artefact, []) == {"rate": "amount / months"}
    refuse_windows_and_dates(artefact, [])
    with pytest.raises(
        ConfigurationError, match=r"column 'late' is a window over earlier rows .* --precomputed"
    ):
        refuse_windows_and_dates(artefact, ["late"])
    with pytest.raises(
        ConfigurationError, match=r"column 'rate' is computed of the window 'amount' \(amount / mo"
    ):
        refuse_windows_and_dates(artefact, ["amount"])
    dated = Derivation({"day": "ISO8601"}, {"rate": "month(day)"})
    with pytest.raises(
        ConfigurationError, match=r"column 'rate' is computed of the date 'day' \(month\(day\)\)"
    ):
        refuse_windows_and_dates(replace(artefact, derivation=dated), [])
