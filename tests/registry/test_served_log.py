"""A served model keeps what it serves where both the environment and the version say so."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace

import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.unseen import UnseenCounts
from lepton_pipeline.model.logged import Logged
from lepton_pipeline.parameters import ServedLog
from lepton_pipeline.serving.request_log import FOLDER

ROWS = pd.DataFrame({"customer": ["c1", "c2"], "age": [30, 40]})


def read(rows):
    if "age" not in rows:
        raise DataError("columns that the model needs are missing: 'age'; hand them in.")
    return rows[["age"]]


@pytest.fixture
def serve():
    with warnings.catch_warnings():
        # MLflow's own types are too wide for its taste.
        warnings.simplefilter("ignore", UserWarning)
        from lepton_pipeline.registry.served_model import ServedModel

    def of(version, logged):
        served = ServedModel()
        served.artefact = SimpleNamespace(
            recommender=None,
            raw_values=None,
            logged=logged,
            predictor=SimpleNamespace(weights_sha256="ab12"),
            read=read,
            predict=lambda rows: pd.DataFrame({"probability": 0.5, "decision": True}, index=rows.index),
            reasons=lambda rows, count: ["age = 30 (+0.10)"] * len(rows),
            unseen_counts=lambda: UnseenCounts([], Derivation({}, {})),
        )
        served.log = served._open_log(version)
        return served

    return of


def test_every_way_of_asking_is_kept_with_the_version(serve, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "log"))
    (tmp_path / "registered_model_meta").write_text("model_name: shop\nmodel_version: '3'\n")
    served = serve(tmp_path, Logged(ServedLog(), "customer"))
    served.predict(None, ROWS, {"reasons": 1})
    served.answer(b'{"instances": [{"customer": "c3", "age": 50}]}', "application/json")
    served.log.close()
    (path,) = (tmp_path / "log").iterdir()
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["id"], line["version"], line["inputs"]["age"]) for line in kept] == [
        ("c1", 3, 30),
        ("c2", 3, 40),
        ("c3", 3, 50),
    ]
    # Reasons are no score, and take room.
    assert kept[0]["prediction"] == {"probability": 0.5, "decision": True}


def test_a_refused_request_is_not_kept(serve, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "log"))
    served = serve(tmp_path, Logged(ServedLog(), "customer"))
    with pytest.raises(DataError, match="are missing"):
        served.answer(b'{"instances": [{"customer": "c3"}]}', "application/json")
    served.log.close()
    assert not (tmp_path / "log").exists()


def test_a_version_that_was_loaded_from_elsewhere_has_no_number(serve, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "log"))
    served = serve(tmp_path, Logged(ServedLog()))
    served.predict(None, ROWS)
    served.log.close()
    (path,) = (tmp_path / "log").iterdir()
    line = json.loads(path.read_text().splitlines()[0])
    assert (line["version"], line["weights"], line["id"]) == (None, "ab12", None)


def test_nothing_is_kept_unless_both_say_so(serve, tmp_path, monkeypatch, caplog):
    monkeypatch.delenv(FOLDER, raising=False)
    assert serve(tmp_path, Logged(ServedLog())).log is None
    assert not caplog.records
    monkeypatch.setenv(FOLDER, str(tmp_path / "log"))
    served = serve(tmp_path, None)
    assert served.log is None
    assert "LEPTON_SERVED_LOG is set, but the model was trained without dataset.served_log" in caplog.text
    assert served.predict(None, ROWS)["decision"].tolist() == [True, True]
    assert not (tmp_path / "log").exists()
