"""The same values give the same bits, or are refused alike, however they come: CSV, Parquet, batch, served."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from unicodedata import normalize
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_pipeline.data.ingest import ingest_table
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import Derivation, derive_features
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.raw_values import RawValues
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Scoring
from lepton_pipeline.scoring.check import CheckedRows, Declared, check_input
from lepton_pipeline.scoring.score import score_input
from lepton_pipeline.tasks.binary import Binary

BERLIN = ZoneInfo("Europe/Berlin")
DATASET = Dataset(target="y", positive=1, categorical=["code"], exclude=["at"])
FEATURES = Features(derive={"hour": "hour(at)", "twice": "n * 2"})
VERSION = ModelVersion("v", 1, "champion", "r", "w")
CITIES = ["Köln", "Zu\u0308rich", 'the "old" one', "a, b; c", "two\nlines", "NA", "x"]
CODES = ["007", "7", "1.10", "1.1", "10E1", "A"]
MISSING = ["", "NA", "-999", "unknown"]


@dataclass(frozen=True)
class Written:
    """How a table is written as text."""

    decimal: str = "."
    thousands: str | None = None
    unit: str = ""
    separator: str = ","
    encoding: str = "utf-8"
    quoted: bool = False
    blanks: str = ""
    offset: str = "local"
    form: str = "NFC"

    def ingestion(self) -> Ingestion:
        return Ingestion(
            decimal=self.decimal,
            thousands=self.thousands,
            units=[self.unit] if self.unit else [],
            separator=self.separator,
            encoding=self.encoding,
            missing=MISSING,
            dates={"at": "ISO8601"},
            zone="Europe/Berlin",
        )

    def text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, datetime):
            return (value if self.offset == "local" else value.astimezone(UTC)).isoformat()
        if isinstance(value, int | float):
            plain = f"{value:,}" if self.thousands else repr(value)
            plain = plain.translate(str.maketrans({",": self.thousands or "", ".": self.decimal}))
            return f"{plain}{self.unit}"
        return normalize(self.form, value)


@dataclass(frozen=True)
class Sum:
    """A model that adds up what is encoded, so that every bit counts."""

    task: ClassVar = Binary()

    def predict(self, encoded: pd.DataFrame, scale: None = None) -> np.ndarray:
        total = encoded.to_numpy(np.float64) @ np.arange(1, encoded.shape[1] + 1)
        return 1 / (1 + np.exp(-total / 1000))


def as_csv(rows: pd.DataFrame, written: Written) -> list[RawFile]:
    def field(value: Any) -> str:
        text = written.blanks + written.text(value) + written.blanks
        special = written.quoted or any(mark in text for mark in (written.separator, '"', "\n"))
        return '"' + text.replace('"', '""') + '"' if special else text

    lines = [written.separator.join(map(str, rows.columns))]
    lines += [written.separator.join(map(field, row)) for row in rows.itertuples(index=False)]
    content = ("\r\n".join(lines) + "\r\n").encode(written.encoding)
    return [RawFile("t.csv", lambda: io.BytesIO(content))]


def as_parquet(rows: pd.DataFrame, texts: set[str], written: Written) -> list[RawFile]:
    types = {"n": pa.int64(), "d": pa.float64(), "y": pa.int64(), "at": pa.timestamp("us", "Europe/Berlin")}
    columns = {}
    for name in rows:
        values = rows[name].tolist()
        as_text = name in texts or name not in types
        values = [None if value is None else written.text(value) if as_text else value for value in values]
        columns[name] = pa.array(values, pa.string() if as_text else types[name])
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return [RawFile("t.parquet", lambda: io.BytesIO(buffer.getvalue()))]


def table_of(raw: list[RawFile], written: Written) -> pd.DataFrame:
    table, _ = ingest_table(raw, DATASET, written.ingestion(), Contract(), FEATURES)
    return derive_features(table.frame(), DATASET, FEATURES)


def training_rows() -> pd.DataFrame:
    start = datetime(2024, 3, 1, tzinfo=BERLIN)
    return pd.DataFrame(
        {
            "n": pd.Series([None if at % 11 == 0 else at * 37 for at in range(240)], dtype=object),
            "d": pd.Series([None if at % 7 == 0 else at / 8 for at in range(240)], dtype=object),
            "city": pd.Series([CITIES[at % 5] if at % 9 else None for at in range(240)], dtype=object),
            "code": pd.Series([CODES[at % 6] for at in range(240)], dtype=object),
            "at": pd.Series([start + timedelta(hours=7 * at) for at in range(240)], dtype=object),
            "y": pd.Series([at % 3 % 2 for at in range(240)], dtype=object),
        }
    )


def artefact_of(written: Written) -> Artefact:
    table = table_of(as_csv(training_rows(), written), written)
    encoder = Encoder.fit(table, DATASET)
    derivation = Derivation.of(FEATURES, written.ingestion(), table)
    inputs = derivation.inputs(encoder.inputs)
    raw_values = RawValues.of(table, written.ingestion(), inputs, {"city", "code"})
    model: Any = Sum()
    return Artefact(derivation, encoder, model, 0.5, {}, raw_values)


def batch(raw: list[RawFile], model: Artefact, written: Written) -> list[float] | str:
    declared = Declared(DATASET, written.ingestion(), Contract(), FEATURES, Scoring(chunk_rows=3, reasons=0))
    try:
        checked, left_out, _ = check_input(raw, model, declared)
        with tempfile.TemporaryDirectory() as folder:
            rows = CheckedRows(raw, checked, left_out)
            found, _ = score_input(rows, model, VERSION, Path(folder) / "work", declared)
            return list(pd.concat(list(found))["probability"])
    except DataError:
        return "refused"


def served(rows: pd.DataFrame, model: Artefact) -> list[float] | str:
    try:
        return list(model.predict(model.read(rows))["probability"])
    except DataError:
        return "refused"


WRITTEN = st.builds(
    Written,
    decimal=st.just("."),
    thousands=st.sampled_from([None, ","]),
    unit=st.sampled_from(["", "€", "%"]),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    quoted=st.booleans(),
    blanks=st.sampled_from(["", " "]),
    offset=st.sampled_from(["local", "utc"]),
    form=st.sampled_from(["NFC", "NFD"]),
) | st.builds(Written, decimal=st.just(","), thousands=st.sampled_from([None, "."]), separator=st.just(";"))
ROW = st.fixed_dictionaries(
    {
        "n": st.none() | st.integers(-(10**6), 10**9) | st.just(-999),
        "d": st.none() | st.floats(-1e9, 1e9).map(lambda value: round(value, 3)) | st.just(-999.0),
        "city": st.none() | st.sampled_from([*CITIES, "unknown", "nobody knows"]),
        "code": st.sampled_from([*CODES, "12", "012"]),
        "at": st.datetimes(datetime(2020, 1, 1), datetime(2025, 1, 1)).map(
            # An hour that stands twice in autumn has no text of its own without its offset, which is written.
            lambda at: at.replace(microsecond=0, tzinfo=BERLIN, fold=0).astimezone(UTC).astimezone(BERLIN)
        ),
    }
)
DIRTY = st.none() | st.tuples(
    st.sampled_from(["n", "d"]), st.sampled_from(["1.2O", "#N/A", "n.a.", "007", "1,23,4", "--5"])
)


@pytest.fixture(scope="module")
def models() -> dict[Written, Artefact]:
    return {}


@settings(max_examples=30, deadline=None, derandomize=True)
@given(written=WRITTEN, rows=st.lists(ROW, min_size=1, max_size=6), dirty=DIRTY, place=st.integers(0, 5))
def test_the_same_values_give_the_same_bits_or_the_same_refusal(models, written, rows, dirty, place):
    model = models.setdefault(written, None) or artefact_of(written)
    models[written] = model
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in rows[0]})
    texts: set[str] = set()
    if dirty is not None:
        frame.loc[place % len(frame), dirty[0]] = dirty[1]
        texts = {dirty[0]}
    csv, parquet = as_csv(frame, written), as_parquet(frame, texts, written)
    sent = frame.map(lambda value: None if value is None else written.text(value))
    by_csv = batch(csv, model, written)
    assert batch(parquet, model, written) == by_csv
    assert served(sent, model) == by_csv
    singly = [served(sent.iloc[[at]], model) for at in range(len(sent))]
    assert ("refused" if "refused" in singly else [each[0] for each in singly]) == by_csv
    if dirty is not None:
        assert by_csv == "refused"


@settings(max_examples=10, deadline=None, derandomize=True)
@given(written=WRITTEN)
def test_training_reads_the_same_table_from_csv_and_parquet(written):
    # Times that are all written as UTC are on that clock.
    written, rows = replace(written, offset="local"), training_rows()
    by_csv, by_parquet = (
        table_of(raw, written) for raw in (as_csv(rows, written), as_parquet(rows, set(), written))
    )
    pd.testing.assert_frame_equal(by_csv, by_parquet)
    assert by_csv["code"].tolist() == rows["code"].tolist()
    assert by_csv["hour"].tolist() == [at.hour for at in rows["at"]]
