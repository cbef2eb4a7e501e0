"""Answers of people as targets."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from pydantic import ValidationError

from lepton_pipeline.data.answers import Answers
from lepton_pipeline.data.ingest import ingest_table
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion
from lepton_pipeline.verticals.raw_tables import number_rows


@pytest.fixture
def dataset(tmp_path):
    def of(text, **changes):
        (tmp_path / "answers.csv").write_text(text)
        roles = {"target": "kind", "classes": "all", "id": "case"} | changes
        return Dataset(**roles, answers=str(tmp_path / "answers.csv"))

    return of


def test_a_missing_target_becomes_the_answer_and_one_that_is_there_stays(dataset):
    found = Answers.read(dataset("case,answer\n 1 , b \n2,c\n9,a\n3,\n"))
    rows = pd.DataFrame({"case": [1, 2, 3, 4], "kind": [None, "a", None, None]}, index=[5, 6, 7, 8])
    filled = found.fill(rows)
    assert filled["kind"].tolist()[:2] == ["b", "a"]
    assert filled["kind"].isna().tolist() == [False, False, True, True]
    assert rows["kind"].isna().sum() == 3
    assert list(filled.index) == [5, 6, 7, 8]


def test_numbers_stay_numbers(dataset):
    found = Answers.read(dataset("case,answer\na,1\n", classes=None, positive=1))
    filled = found.fill(pd.DataFrame({"case": ["a", "b"], "kind": [float("nan"), 0.0]}))
    assert filled["kind"].tolist() == [1.0, 0.0]
    wrong = Answers.read(dataset("case,answer\na,yes\n", classes=None, positive=1))
    with pytest.raises(DataError, match="answer 'yes' for case 'a' is no number, as 'kind' is"):
        wrong.fill(pd.DataFrame({"case": ["a", "b"], "kind": [float("nan"), 0.0]}))


def test_nothing_is_read_where_nothing_is_declared():
    assert Answers.read(Dataset(target="kind", positive=1, id="case")) is None
    assert "answers" not in Dataset(target="kind", positive=1).model_dump()
    with pytest.raises(
        ValidationError, match=r"answers: 'a\.csv' belong to rows by their id; declare dataset\.id"
    ):
        Dataset(target="kind", positive=1, answers="a.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,anwser\n1,a\n", r"has no column 'answer'; did you mean 'anwser'"),
        ("answer\na\n", r"has no column 'case'"),
        ("case,answer\n1,a\n1,b\n", r"has two answers for case '1'; keep the right one"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(dataset, text, message):
    with pytest.raises(DataError, match=message):
        Answers.read(dataset(text))


def test_the_same_answer_twice_is_one_and_an_absent_file_is_told(dataset, tmp_path):
    assert Answers.read(dataset("case,answer\n1,a\n1,a\n")).of.to_dict() == {"1": "a"}
    declared = dataset("")
    (tmp_path / "answers.csv").unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Answers.read(declared)


def test_ingestion_has_them_before_the_contract(dataset):
    text = b"case,size,kind\n1,2,a\n2,3,\n3,4,b\n4,5,\n"
    raw = [RawFile("t.csv", lambda: io.BytesIO(text))]
    declared = dataset("case,answer\n2,c\n")
    table, record = ingest_table(raw, declared, Ingestion(), Contract(), Features())
    assert table.frame()["kind"].fillna("").tolist() == ["a", "c", "b", ""]
    plain = declared.model_copy(update={"answers": None})
    _, without = ingest_table(raw, plain, Ingestion(), Contract(), Features())
    # They are part of what a model learns from.
    assert record.sha256 != without.sha256


def test_a_table_of_several_has_them(dataset):
    made = pd.DataFrame({"case": [1, 2, 3], "size": [1.0, 2.0, 3.0], "kind": ["a", None, "b"]})
    table, _ = number_rows(made, dataset("case,answer\n2,b\n"), Contract(), Features())
    assert table["kind"].tolist() == ["a", "b", "b"]
