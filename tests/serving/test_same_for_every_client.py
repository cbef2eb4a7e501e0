"""What the training file holds gives the same bits through a frame, JSON, CSV, Parquet and batch."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from clients import load_served, score_batch, send

from lepton_pipeline.data.ingest import ingest_table
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Scoring, Training
from lepton_pipeline.scoring.check import Declared, check_input
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

ROWS = 240
DATASET = Dataset(target="y", positive=1, categorical=["code", "code_gaps"])
FEATURES = Features(derive={"hour": "hour(at)", "twice": "money * 2", "monday": "weekday(day)"})
INGESTION = Ingestion(
    missing=["", "NA", "?", "-999"],
    thousands=",",
    units=["€"],
    dates={"day": "%d/%m/%Y", "at": "ISO8601"},
    zone="Europe/Berlin",
)
TYPES = {
    "whole": "long",
    "gaps": "double",
    "fraction": "double",
    "money": "double",
    "code": "string",
    "code_gaps": "string",
    "text": "string",
    "day": "string",
    "at": "string",
    "flag": "boolean",
}


def raw_rows() -> pd.DataFrame:
    """As objects: what stands in the file."""
    numbers = range(ROWS)
    start = pd.Timestamp("2024-03-01", tz=ZoneInfo("Europe/Berlin"))
    columns: dict[str, list[Any]] = {
        "whole": [at * 37 % 101 for at in numbers],
        "gaps": [None if at % 7 == 0 else at % 13 for at in numbers],
        "fraction": [None if at % 11 == 0 else at / 8 for at in numbers],
        "money": ["?" if at % 9 == 0 else -999 if at % 10 == 0 else f"{at * 97:,} €" for at in numbers],
        "code": [at % 4 + 1 for at in numbers],
        "code_gaps": [None if at % 5 == 0 else at % 3 for at in numbers],
        "text": [["Köln", "None", 'a, "b"', "true"][at % 4] if at % 6 else "NA" for at in numbers],
        "day": [f"{at % 28 + 1:02d}/03/2024" for at in numbers],
        "at": [start + pd.Timedelta(hours=7 * at) for at in numbers],
        "flag": [at % 3 == 0 for at in numbers],
        "y": [int(at % 8 < 3) for at in numbers],
    }
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def as_csv(rows: pd.DataFrame) -> bytes:
    return rows.to_csv(index=False).encode()


def as_parquet(rows: pd.DataFrame) -> bytes:
    typed = rows.assign(
        **{name: rows[name].astype("int64") for name in ("whole", "code", "y")},
        **{name: rows[name].astype("Int64") for name in ("gaps", "code_gaps")},
        fraction=rows["fraction"].astype("float64"),
        money=rows["money"].map(str),
        flag=rows["flag"].astype("bool"),
        at=pd.to_datetime(rows["at"]),
    )
    buffer = io.BytesIO()
    typed.to_parquet(buffer, index=False)
    return buffer.getvalue()


@dataclass
class Client:
    """A model as MLflow loads it, and the artefact behind it."""

    model: Any
    artefact: Artefact

    def sends(self, body: bytes, content_type: str) -> list[float]:
        return [each["probability"] for each in send(self.model, body, content_type)]

    def batch(self, content: bytes, name: str) -> list[float]:
        declared = Declared(DATASET, INGESTION, Contract(), FEATURES, Scoring(chunk_rows=100, reasons=0))
        return list(score_batch(self.artefact, declared, content, name)["probability"])


@pytest.fixture(scope="module", params=["csv", "parquet"])
def client(request, tmp_path_factory) -> tuple[Client, str]:
    """The model of a table that is trained from such a file."""
    content = as_csv(raw_rows()) if request.param == "csv" else as_parquet(raw_rows())
    dataset = DATASET
    table, _ = ingest_table(
        [RawFile(f"t.{request.param}", lambda: io.BytesIO(content))], dataset, INGESTION, Contract(), FEATURES
    )
    table = derive_features(table.frame(), dataset, FEATURES)
    part = np.where(
        np.arange(ROWS) % 5 < 3, "train", np.where(np.arange(ROWS) % 5 == 3, "validation", "test")
    )
    split = pd.DataFrame({"part": part, "label": table["y"] == 1}, index=table.index)
    encoder = Encoder.fit(table, dataset)
    training = Training(model="linear", epochs=2, device="cpu")
    model, _, _ = train_model(encoder.transform(table), split, Target(Binary()), training)
    artefact = assemble_artefact(
        encoder, model, Metrics(0.4, {}, {}, 100, {}), table, split, FEATURES, INGESTION, dataset
    )
    served = load_served(artefact, table, tmp_path_factory.mktemp(request.param))
    return Client(served, artefact), request.param


@pytest.fixture(scope="module")
def expected(client) -> list[float]:
    served, kind = client
    return served.batch(as_csv(raw_rows()) if kind == "csv" else as_parquet(raw_rows()), f"t.{kind}")


def test_the_signature_is_that_of_the_written_table(client):
    served, kind = client
    types = TYPES | ({"flag": "string"} if kind == "csv" else {})
    inputs = served.model.metadata.get_input_schema().inputs
    assert {column.name: column.type.name for column in inputs} == types


def test_the_example_has_the_types_of_the_signature(client, expected):
    from mlflow.models import validate_schema

    served, _ = client
    example = served.model.input_example
    validate_schema(example, served.model.metadata.get_input_schema())
    assert served.model.predict(example)["probability"].tolist() == expected[:3]


def test_json_gives_the_same_bits(client, expected):
    served, _ = client
    sent = json.loads(
        raw_rows().drop(columns="y").assign(at=lambda rows: rows["at"].map(str)).to_json(orient="records")
    )
    assert served.sends(json.dumps({"dataframe_records": sent}).encode(), "application/json") == expected
    for at in (0, 5, 9, 10, 55):
        assert served.sends(json.dumps({"inputs": sent[at]}).encode(), "application/json") == [expected[at]]


def test_csv_gives_the_same_bits(client, expected):
    served, _ = client
    rows = raw_rows()
    assert served.sends(as_csv(rows), "text/csv") == expected
    assert served.sends(as_csv(rows.iloc[[9]]), "text/csv") == [expected[9]]


def test_parquet_gives_the_same_bits(client, expected):
    served, _ = client
    assert served.sends(as_parquet(raw_rows()), "application/vnd.apache.parquet") == expected


@pytest.mark.parametrize("read", ["csv", "csv as text", "parquet", "nullable", "objects"])
def test_a_frame_gives_the_same_bits(client, expected, read):
    served, _ = client
    frames = {
        "csv": lambda: pd.read_csv(io.BytesIO(as_csv(raw_rows())), keep_default_na=False, na_values=[""]),
        "csv as text": lambda: pd.read_csv(
            io.BytesIO(as_csv(raw_rows())), dtype="str", keep_default_na=False
        ),
        "parquet": lambda: pd.read_parquet(io.BytesIO(as_parquet(raw_rows()))),
        "nullable": lambda: pd.read_parquet(
            io.BytesIO(as_parquet(raw_rows())), dtype_backend="numpy_nullable"
        ),
        "objects": raw_rows,
    }
    frame = frames[read]()
    assert served.model.predict(frame)["probability"].tolist() == expected
    assert served.model.predict(frame.iloc[:3])["probability"].tolist() == expected[:3]


@pytest.mark.parametrize("value", [float("inf"), "Infinity", "-inf", np.float32("inf")])
def test_infinity_is_refused_in_a_frame(client, value):
    from mlflow import MlflowException

    served, _ = client
    rows = raw_rows().drop(columns="y").head(3)
    rows["fraction"] = pd.Series([1.0, value, None], dtype=object)
    with pytest.raises(MlflowException, match=r"^column 'fraction' is infinite in row 1; correct it"):
        served.model.predict(rows)


def test_infinity_is_refused_in_csv_and_set_apart_in_a_batch(client):
    from mlflow.pyfunc import scoring_server

    served, _ = client
    rows = raw_rows().head(100)
    rows.loc[7, "fraction"] = float("inf")
    answer = scoring_server.invocations(as_csv(rows), "text/csv", served.model, None)
    assert answer.status == 400
    assert "infinite in row 7" in answer.response
    declared = Declared(DATASET, INGESTION, Contract(), FEATURES, Scoring(reasons=0))
    for content, name in ((as_csv(rows), "t.csv"), (as_parquet(rows), "t.parquet")):
        _, left_out, quarantine = check_input(
            [RawFile(name, lambda c=content: io.BytesIO(c))], served.artefact, declared
        )
        assert left_out["input_row"].tolist() == [7]
        assert quarantine.reasons() == {"fraction is finite": 1}
