"""The same personal data gives the same masked value in training, batch scoring and the served model."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from test_same_everywhere import Sum

from lepton_pipeline.data.ingest import ingest_table
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.raw_values import RawValues
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Mask, Scoring
from lepton_pipeline.scoring.check import Declared, as_trained, check_input
from lepton_pipeline.serving.requests import JSON, read_request
from lepton_pipeline.system.records import from_plain, to_plain

DATASET = Dataset(target="y", positive=1, categorical=["note"], exclude=["remark"])
MASK = Mask(columns=["note", "remark"], patterns={"NAME": "Jane|Jürgen"})
INGESTION = Ingestion(mask=MASK, missing=["", "NA", "99999999"])
NOTES = [
    *("jane@x.co", "from jürgen@müller.de", "from ju\u0308rgen@mu\u0308ller.de", "4111 1111 1111 1111"),
    *("DE89 3704 0044 0532 0130 00", "call 030 1234567", "0301234567", "Jane", "Ju\u0308rgen", "NA", ""),
    *(
        "99999999",
        "Rs 10.4 crore in 2024",
        " plain ",
        "２０２４: ０３０-１２３４５６７",
        "[EMAIL]",
        "😀",
        "12",
    ),
]
MASKED = [
    *("[EMAIL]", "from [EMAIL]", "from [EMAIL]", "[CARD]", "[IBAN]", "call [PHONE]", "[ACCOUNT]", "[NAME]"),
    *(
        "[NAME]",
        None,
        None,
        None,
        "Rs 10.4 crore in 2024",
        "plain",
        "２０２４: [PHONE]",
        "[EMAIL]",
        "😀",
        "12",
    ),
]


def csv(rows: pd.DataFrame) -> list[RawFile]:
    content = rows.to_csv(index=False).encode()
    return [RawFile("t.csv", lambda: io.BytesIO(content))]


def parquet(rows: pd.DataFrame) -> list[RawFile]:
    buffer = io.BytesIO()
    rows.to_parquet(buffer)
    return [RawFile("t.parquet", lambda: io.BytesIO(buffer.getvalue()))]


def sent() -> pd.DataFrame:
    return pd.DataFrame({"note": NOTES, "remark": ["of jane@x.co"] * len(NOTES)})


def table_of(raw: list[RawFile], ingestion: Ingestion = INGESTION) -> pd.DataFrame:
    table, _ = ingest_table(raw, DATASET, ingestion, Contract(), Features())
    return table.frame()


def artefact_of(ingestion: Ingestion) -> Artefact:
    table = table_of(csv(sent().assign(y=[0, 1] * (len(NOTES) // 2))), ingestion)
    encoder = Encoder.fit(table, DATASET)
    derivation = Derivation.of(Features(), ingestion, table)
    raw_values = RawValues.of(table, ingestion, derivation.inputs(encoder.inputs), {"note"})
    model: Any = Sum()
    return Artefact(derivation, encoder, model, 0.5, {}, raw_values)


def batch(raw: list[RawFile], model: Artefact, ingestion: Ingestion = INGESTION) -> tuple[list[Any], Any]:
    """The values of a batch that are written: all of its rows are quarantined."""
    contract = Contract.model_validate(
        {
            "max_quarantined": 0.99,
            "expectations": [
                {
                    "expect": "column_values_to_match_regex",
                    "column": "remark",
                    "regex": "^nothing$",
                    "on_failure": "quarantine",
                }
            ],
        }
    )
    declared = Declared(DATASET, ingestion, contract, Features(), Scoring(chunk_rows=4, reasons=0))
    checked, _, quarantined = check_input(raw, model, declared)
    return [value for rows in quarantined for value in plain(rows["note"])], checked


def plain(values: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in values]


def test_every_way_gives_the_same_masked_values():
    model = artefact_of(INGESTION)
    assert plain(table_of(csv(sent().assign(y=1)))["note"]) == MASKED
    assert plain(table_of(parquet(sent().assign(y=1)))["note"]) == MASKED
    for raw in (csv(sent()), parquet(sent())):
        values, checked = batch(raw, model)
        assert values == MASKED
        assert checked.reading.notes["note"] == [
            "masked: 3 [EMAIL], 2 [PHONE], 2 [NAME], 1 [CARD], 1 [IBAN], 1 [ACCOUNT]"
        ]
        assert checked.reading.notes["remark"] == ["masked: 18 [EMAIL]"]
        assert "jane@x.co" not in repr(checked)
    assert plain(model.read(sent())["note"]) == MASKED
    assert [plain(model.read(sent().iloc[[at]])["note"])[0] for at in range(len(NOTES))] == MASKED
    body = json.dumps({"dataframe_records": sent().to_dict(orient="records")}).encode()
    for rows, _ in (
        read_request(body, JSON, INGESTION),
        read_request(sent().to_csv(index=False).encode(), "text/csv", INGESTION),
    ):
        assert plain(model.read(rows)["note"]) == MASKED


def test_scores_are_those_of_rows_that_were_masked_before():
    model, masked = artefact_of(INGESTION), pd.DataFrame({"note": MASKED})
    probabilities = model.predict(model.read(sent()))["probability"].tolist()
    assert probabilities == model.predict(model.read(masked))["probability"].tolist()


def test_a_request_with_a_number_in_a_masked_column_is_refused():
    with pytest.raises(DataError, match=r"column 'note' is masked .* no text \(int\)"):
        artefact_of(INGESTION).read(pd.DataFrame({"note": [4111111111111111]}))
    # Half of a character is no text that can be searched; it is not kept.
    lone = artefact_of(INGESTION).read(pd.DataFrame({"note": ["jane@x.co \ud800"]}, dtype=object))
    assert lone["note"].tolist() == ["[EMAIL] \ufffd"]


def test_a_batch_may_hold_only_what_looks_like_numbers_or_lack_a_column_that_is_not_read():
    rows = pd.DataFrame({"note": ["12", "0301234567"], "remark": ["7", "8"]})
    assert batch(csv(rows), artefact_of(INGESTION))[0] == ["12", "[ACCOUNT]"]
    declared = Declared(DATASET, INGESTION, Contract(), Features(), Scoring(reasons=0))
    checked, _, _ = check_input(csv(rows[["note"]]), artefact_of(INGESTION), declared)
    assert checked.kinds == {"note": "text"}


def test_the_mask_travels_with_the_version():
    kept = artefact_of(INGESTION).raw_values
    recorded = json.loads(json.dumps(to_plain(kept)))
    assert recorded["ingestion"]["mask"]["columns"] == ["note", "remark"]
    assert from_plain(RawValues, recorded).ingestion == INGESTION
    # Scored with a declaration that no longer has it.
    assert batch(csv(sent()), artefact_of(INGESTION), Ingestion(missing=INGESTION.missing))[0] == MASKED


def test_versions_of_before_load_and_batches_are_masked_as_declared_now():
    unmasked = INGESTION.model_copy(update={"mask": None})
    model = artefact_of(unmasked)
    assert "mask" not in to_plain(model.raw_values)["ingestion"]
    assert from_plain(RawValues, to_plain(model.raw_values)).ingestion.mask is None
    assert model.read(sent())["note"].tolist()[0] == "jane@x.co"
    assert as_trained(INGESTION, model).mask == MASK
    assert as_trained(INGESTION, replace(model, raw_values=None)).mask == MASK
    assert batch(csv(sent()), model)[0] == MASKED
