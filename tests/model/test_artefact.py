import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model import artefact as module
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Features, Ingestion, Leaks, Split, Training
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows

METRICS = Metrics(0.5, {}, {}, 100, {})
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
    split = split_rows(table, Target(Binary()), dataset, Split())
    encoder, encoded = encode_rows(
        table, split, Target(Binary()), dataset, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    model, _, _ = train_model(encoded, split, Target(Binary()), Training(epochs=2, device="cpu"))
    return assemble_artefact(encoder, model, METRICS, table, split, FEATURES, Ingestion(), dataset)


def test_reasons_and_the_typical_row_show_labels(artefact, table, tmp_path):
    city = artefact.reference["city"]
    labelled = replace(artefact, labels={"city": {city: "the capital"}})
    labelled.save(tmp_path / "artefact")
    loaded = Artefact.load(tmp_path / "artefact")
    assert loaded.shown("city", city) == "the capital"
    assert loaded.shown("city", "elsewhere") == "elsewhere"
    assert loaded.shown("age", 3.0) == "3"
    rows = table.assign(city=city)
    plain, shown = artefact.reasons(rows, 9), loaded.reasons(rows, 9)
    assert shown == [text.replace(f"city = {city} ", "city = the capital ") for text in plain]
    artefact.save(tmp_path / "plain")
    assert "labels" not in json.loads((tmp_path / "plain/artefact.json").read_text())


def test_a_saved_artefact_gives_the_same_bits(artefact, table, tmp_path):
    artefact.save(tmp_path / "artefact")
    loaded = Artefact.load(tmp_path / "artefact")
    pd.testing.assert_frame_equal(loaded.predict(table), artefact.predict(table), check_exact=True)
    suffixes = {path.suffix for path in (tmp_path / "artefact").rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_what_is_served_is_the_whole_model(artefact, table):
    """Blended and calibrated: not its networks alone."""
    derived = artefact.derivation.apply(table, artefact.encoder.inputs)
    scores = artefact.predictor.scores(artefact.encoder.transform(derived))
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


def test_files_of_another_format_are_refused(artefact, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", 99)
    artefact.save(tmp_path)
    monkeypatch.undo()
    with pytest.raises(DataError, match="has format 99, this version reads 4"):
        Artefact.load(tmp_path)


def test_every_file_is_under_the_seal_and_none_can_be_altered(artefact, tmp_path):
    sha256 = artefact.save(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {path.name for path in files} >= {
        "artefact.json",
        "encoder.json",
        "weights.safetensors",
        "classifier.json",
    }
    for path in files:
        original = path.read_bytes()
        for place in (0, len(original) // 2, len(original) - 1):
            path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
            with pytest.raises(DataError, match=path.name):
                Artefact.load(tmp_path)
        path.unlink()
        with pytest.raises(DataError, match=f"{path.name} is missing"):
            Artefact.load(tmp_path)
        path.write_bytes(original)
    assert Artefact.load(tmp_path, sha256).threshold == 0.5


def test_an_artefact_that_is_not_the_registered_one_is_refused(artefact, tmp_path):
    registered = artefact.save(tmp_path / "one")
    replace(artefact, threshold=0.4).save(tmp_path / "other")
    with pytest.raises(DataError, match="not the registered"):
        Artefact.load(tmp_path / "other", registered)


def test_the_typical_row_is_that_of_the_training_rows(artefact):
    assert list(artefact.reference) == list(artefact.inputs)
    assert artefact.reference["city"] in ("Oslo", "Rome")
    assert 20 <= artefact.reference["age"] <= 59
    assert isinstance(artefact.reference["age"], int)


def test_effects_add_up_to_the_log_odds_above_those_of_the_typical_row(artefact, table):
    odd = table.assign(
        age=table["age"].where(table.index % 3 > 0), city=table["city"].where(table.index % 5 > 0, "Lima")
    )
    effects = artefact.effects(odd)
    assert list(effects.columns) == ["age", "city"]
    assert effects.index.equals(odd.index)

    def log_odds(rows):
        probability = artefact.predict(rows)["probability"].to_numpy()
        return np.log(probability / (1 - probability))

    expected = log_odds(odd) - log_odds(pd.DataFrame([artefact.reference]))
    np.testing.assert_allclose(effects.sum(axis=1), expected, atol=1e-6)
    assert (effects.abs() > 1e-3).any(axis=None)


def test_reasons_do_not_depend_on_the_rows_beside(artefact, table):
    together = artefact.reasons(table, 2)
    assert together == artefact.reasons(table.iloc[::-1], 2)[::-1]
    assert together[:3] == [artefact.reasons(table.iloc[[row]], 2)[0] for row in range(3)]


def test_reasons_name_raw_columns_with_their_values_the_strongest_first(artefact, table, monkeypatch):
    effects = pd.DataFrame({"age": [0.25, 0.0, -0.004], "city": [-0.914, 0.3, 0.006]})
    monkeypatch.setattr(Artefact, "effects", lambda self, rows: effects)
    rows = pd.DataFrame({"city": ["Rome", None, "a\nb"], "age": [31.0, 2.5, 4.0]})
    assert artefact.reasons(rows, 2) == [
        "city = Rome (-0.91); age = 31 (+0.25)",
        "city = missing (+0.30)",
        "city = a b (+0.01)",
    ]
    assert artefact.reasons(rows, 1) == [
        "city = Rome (-0.91)",
        "city = missing (+0.30)",
        "city = a b (+0.01)",
    ]
    assert artefact.explain(rows, 5)[0][1] == module.Reason("age", "31", 0.25)


def test_the_typical_row_itself_has_no_reasons(artefact):
    assert artefact.reasons(pd.DataFrame([artefact.reference]), 3) == [""]
    assert artefact.reasons(pd.DataFrame(columns=list(artefact.inputs)), 3) == []


def test_reasons_need_all_columns_and_numbers(artefact, table):
    with pytest.raises(DataError, match="'city'"):
        artefact.reasons(table.drop(columns="city"), 3)
    with pytest.raises(DataError, match="'age' must hold numbers"):
        artefact.reasons(table.assign(age="old"), 3)


def test_reasons_of_dates_are_told_in_iso_whatever_way_they_came(table):
    day = pd.date_range("2024-01-01", periods=40)
    dated = table.assign(day=day, bought=np.where(day.day > 15, "yes", "no"))
    dataset = Dataset(target="bought", positive="yes", id="id")
    features = Features(derive={"month_day": "day(day)"})
    derived = derive_features(dated, dataset, features)
    split = split_rows(derived, Target(Binary()), dataset, Split())
    encoder, encoded = encode_rows(
        derived, split, Target(Binary()), dataset, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    model, _, _ = train_model(encoded, split, Target(Binary()), Training(epochs=2, device="cpu", model="mlp"))
    made = assemble_artefact(
        encoder, model, METRICS, derived, split, features, Ingestion(dates={"day": "%d/%m/%Y"}), dataset
    )
    assert pd.Timestamp(made.reference["day"]) in set(day)
    as_text = dated.assign(day=day.strftime("%d/%m/%Y"))
    assert made.reasons(as_text, 3) == made.reasons(dated, 3)
    assert any("day = 2024-01-" in reason for reason in made.reasons(as_text, 3))
