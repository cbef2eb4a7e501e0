import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.split import split_rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import Derivation, derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.classifier import train_model
from lepton_pipeline.parameters import Dataset, Features, Ingestion, Leaks, Split, Training

FEATURES = Features(derive={"decade": "floor(age / 10)"})


@pytest.fixture(scope="module")
def table():
    """The forty rows that all tests have, once."""
    return pd.DataFrame(
        {
            "id": range(40),
            "age": [20 + row for row in range(40)],
            "city": ["Oslo", "Rome"] * 20,
            "bought": ["yes", "no", "no", "yes"] * 10,
        }
    )


@pytest.fixture(scope="module")
def artefact(table):
    dataset = Dataset(target="bought", positive="yes", id="id")
    table = derive_features(table, dataset, FEATURES)
    split = split_rows(table, dataset, Split())
    encoder, encoded = encode_rows(table, split, dataset, {"findings": []}, Leaks())
    model, _, _ = train_model(encoded, split, Training(epochs=2, device="cpu"))
    return Artefact(Derivation.of(FEATURES, Ingestion(), pd.DataFrame()), encoder, model, threshold=0.5)


def test_a_saved_artefact_gives_the_same_bits(artefact, table, tmp_path):
    artefact.save(tmp_path / "artefact")
    loaded = Artefact.load(tmp_path / "artefact")
    pd.testing.assert_frame_equal(loaded.predict(table), artefact.predict(table), check_exact=True)
    suffixes = {path.suffix for path in (tmp_path / "artefact").rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_what_is_served_is_the_whole_model(artefact, table):
    """Blended and calibrated: not its networks alone."""
    derived = artefact.derivation.apply(table, artefact.encoder.inputs)
    scores = artefact.classifier.scores(artefact.encoder.transform(derived))
    served = artefact.predict(table)["probability"]
    assert np.array_equal(served, scores["model"])
    assert not np.array_equal(served, scores["network"])


def test_the_decision_is_the_probability_at_the_threshold(artefact, table):
    median = float(artefact.predict(table)["probability"].median())
    predicted = replace(artefact, threshold=median).predict(table)
    assert (predicted["decision"] == (predicted["probability"] >= median)).all()
    assert predicted["decision"].nunique() == 2
    assert predicted.index.equals(table.index)


def test_raw_rows_are_enough_and_derived_columns_are_made(artefact, table):
    assert list(artefact.inputs) == ["age", "city"]
    assert "decade" in artefact.encoder.inputs
    older = artefact.predict(table.assign(age=table["age"] + 20, decade=2.0))
    assert (older["probability"] != artefact.predict(table)["probability"]).any()


def test_values_that_training_did_not_have_are_scored(artefact, table):
    odd = table.assign(age=[None, 1e300, -1e300, float("inf")] * 10, city=["Lima", None, "", "Oslo"] * 10)
    assert np.isfinite(artefact.predict(odd)["probability"]).all()


def test_a_missing_column_is_named(artefact, table):
    with pytest.raises(DataError, match="city"):
        artefact.predict(table.drop(columns="city"))


def test_files_of_another_format_are_refused(artefact, tmp_path):
    artefact.save(tmp_path)
    file = tmp_path / "artefact.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 99}))
    with pytest.raises(DataError, match="has format 99, this version reads"):
        Artefact.load(tmp_path)
