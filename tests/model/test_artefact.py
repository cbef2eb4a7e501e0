import pandas as pd
import pytest

from lepton_pipeline.data.split import split_rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import Derivation, derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.estimator import train_model
from lepton_pipeline.parameters import Features, Ingestion, Leaks, Split, Training


@pytest.fixture
def artefact(table, dataset):
    parts = split_rows(table, dataset, Split())
    features = Features(derive={"decade": "floor(age / 10)"})
    table = derive_features(table, dataset, features)
    encoder, encoded = encode_rows(table, parts, dataset, {"findings": []}, Leaks())
    model, _ = train_model(encoded, parts, Training(epochs=2))
    return Artefact(Derivation.of(features, Ingestion(), pd.DataFrame()), encoder, model, threshold=0.5)


def test_a_saved_artefact_gives_the_same_bits(artefact, table, tmp_path):
    artefact.save(tmp_path / "artefact")
    loaded = Artefact.load(tmp_path / "artefact")
    pd.testing.assert_frame_equal(loaded.predict(table), artefact.predict(table), check_exact=True)
    suffixes = {path.suffix for path in (tmp_path / "artefact").rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_the_decision_is_the_probability_at_the_threshold(artefact, table):
    predicted = artefact.predict(table)
    assert (predicted["decision"] == (predicted["probability"] >= 0.5)).all()
    assert predicted.index.equals(table.index)


def test_raw_rows_are_enough_and_derived_columns_are_made(artefact, table):
    assert list(artefact.inputs) == ["age", "city"]
    assert "decade" in artefact.encoder.inputs
    older = artefact.predict(table.assign(age=table["age"] + 20, decade=2.0))
    assert (older["probability"] != artefact.predict(table)["probability"]).any()


def test_a_missing_column_is_named(artefact, table):
    with pytest.raises(DataError, match="city"):
        artefact.predict(table.drop(columns="city"))
