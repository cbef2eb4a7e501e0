"""Models of several classes and of a number answer every client with the same columns and bits."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
from clients import load_served, score_batch, send
from tasks.shops import CLASSES, TaskShop, house_shop, request_shop, wine_shop

from lepton_pipeline.parameters import Contract, Features, Ingestion, Scoring
from lepton_pipeline.scoring.check import Declared

COLUMNS = {
    "wine": {"decision": "string", "probability": "double"}
    | dict.fromkeys([f"probability_{name}" for name in CLASSES], "double"),
    "request": {"decision": "string", "probability": "double", "reply": "string"}
    | dict.fromkeys([f"probability_{name}" for name in ("bill", "card", "loan")], "double")
    | {"nearest": "string"},
    "house": {"prediction": "double", "low": "double", "high": "double"},
}
Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Served:
    """A shop, its model as MLflow loads it, and what is expected of all rows."""

    name: str
    shop: TaskShop
    model: Any
    expected: Records

    @property
    def rows(self) -> pd.DataFrame:
        """Rows as clients send them, without the target."""
        return self.shop.table.drop(columns=self.shop.dataset.target)

    @property
    def sent(self) -> Records:
        records: Records = json.loads(self.rows.to_json(orient="records", double_precision=15))
        return records

    def batch(self, content: bytes, name: str, **scoring: Any) -> pd.DataFrame:
        declared = Declared(
            self.shop.dataset, Ingestion(), Contract(), Features(), Scoring(chunk_rows=50, **scoring)
        )
        return score_batch(self.shop.artefact, declared, content, name)


@pytest.fixture(scope="module", params=["wine", "house", "request"])
def served(request, tmp_path_factory):
    shop = {"wine": wine_shop, "house": house_shop, "request": request_shop}[request.param]()
    model = load_served(shop.artefact, shop.table, tmp_path_factory.mktemp(request.param))
    return Served(request.param, shop, model, shop.artefact.predict(shop.table).to_dict("records"))


def test_the_signature_names_the_columns_of_the_task(served):
    outputs = served.model.metadata.get_output_schema().inputs
    asked = {"reasons": ("string", False), "unseen": ("string", False)}
    predicted = {name: (kind, True) for name, kind in COLUMNS[served.name].items()}
    assert {each.name: (each.type.name, each.required) for each in outputs} == predicted | asked
    assert list(served.expected[0]) == list(COLUMNS[served.name])


def test_json_gives_the_same_bits(served):
    sent = served.sent
    assert send(served.model, {"dataframe_records": sent}) == served.expected
    assert send(served.model, {"instances": sent[:7]}) == served.expected[:7]
    columns = list(served.rows)
    split = {"columns": columns, "data": [[row[name] for name in columns] for row in sent]}
    assert send(served.model, {"dataframe_split": split}) == served.expected
    inputs = {name: [row[name] for row in sent] for name in columns}
    assert send(served.model, {"inputs": inputs}) == served.expected
    assert send(served.model, {"inputs": sent[9]}) == served.expected[9:10]


def test_files_and_frames_give_the_same_bits(served):
    rows = served.rows
    csv, parquet = rows.to_csv(index=False).encode(), io.BytesIO()
    rows.to_parquet(parquet, index=False)
    assert send(served.model, csv, "text/csv") == served.expected
    assert send(served.model, parquet.getvalue(), "application/vnd.apache.parquet") == served.expected
    assert served.model.predict(rows).to_dict("records") == served.expected
    assert served.model.predict(rows.iloc[3:5]).to_dict("records") == served.expected[3:5]
    for content, name in ((csv, "t.csv"), (parquet.getvalue(), "t.parquet")):
        scored = served.batch(content, name)
        assert list(scored) == ["input_row", *COLUMNS[served.name], "model_version"]
        assert scored[list(COLUMNS[served.name])].to_dict("records") == served.expected


def test_reasons_and_unseen_values_are_added_where_they_are_asked_for(served):
    if served.name == "request":
        pytest.skip("it reads no category")
    sent = served.sent[:3]
    text = "origin" if served.name == "wine" else "sex"
    answers = send(
        served.model,
        {"dataframe_records": [*sent, sent[0] | {text: "new"}], "params": {"reasons": 2, "unseen": True}},
    )
    told = [answer.pop("reasons") for answer in answers]
    assert [answer.pop("unseen") for answer in answers] == ["", "", "", f"{text} = new"]
    assert answers[:3] == served.expected[:3]
    assert all(len(each.split("; ")) == 2 for each in told)
    content = served.rows.head(3).to_csv(index=False).encode()
    assert served.batch(content, "t.csv", reasons=2, reasons_for="all")["reasons"].tolist() == told[:3]
