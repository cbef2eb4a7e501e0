"""Checking and scoring in chunks, with a real model for the bits and a plain one for what happens around it."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.datasets import StreamedParquetDataset
from lepton_pipeline.errors import ContractError, DataError
from lepton_pipeline.features.derive import Derivation, derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.features.unseen import UnseenCounts
from lepton_pipeline.model.artefact import assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import (
    Contract,
    Dataset,
    Expectation,
    Features,
    Ingestion,
    Leaks,
    Scoring,
    Split,
    Training,
    Window,
)
from lepton_pipeline.scoring import score
from lepton_pipeline.scoring.check import CheckedRows, Declared, check_input
from lepton_pipeline.scoring.score import score_input
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.terminal.scoring import scoring_markdown

DATASET = Dataset(target="bought", positive="yes", id="id")
AGE = {"expect": "column_values_to_be_between", "column": "age", "min_value": 18}
UNIQUE = {"expect": "column_values_to_be_unique", "column": "id"}
VERSION = ModelVersion("shop", 3, "champion", "r", "w")


@dataclass
class Plain:
    """A model that is quick and counts its calls; the older, the likelier."""

    inputs: dict[str, str] = field(default_factory=lambda: {"age": "number", "city": "text"})
    numbers: tuple[str, ...] = ("age",)
    threshold: float = 0.5
    fails_at: int = 10**9
    calls: int = 0
    task: ClassVar = Binary()
    prediction_types: ClassVar = Binary().prediction_types()
    derivation: Derivation = field(default_factory=lambda: Derivation({}, {}))
    raw_values: ClassVar = None

    def unseen_counts(self):
        return UnseenCounts([], Derivation({}, {}))

    def predict(self, rows):
        self.calls += 1
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        probability = np.nan_to_num(rows["age"].to_numpy(float)) / 100
        return pd.DataFrame(
            {"probability": probability, "decision": probability >= self.threshold}, index=rows.index
        )


def contract(*expectations, **options):
    return Contract(expectations=[Expectation(**each) for each in expectations], **options)


def files(*tables):
    texts = [table.to_csv(index=False).encode() for table in tables]
    return [RawFile(f"{at}.csv", lambda text=text: io.BytesIO(text)) for at, text in enumerate(texts)]


def run(raw, model, folder, agreed=None, features=None, dataset=DATASET, **scoring):
    """Both stages, as the pipeline wires them; scores, quarantine, record."""
    ready = scoring.pop("ready", False)
    # Most models here cannot give reasons.
    scoring = {"reasons": 0} | scoring
    declared = Declared(
        dataset, Ingestion(), agreed or contract(), features or Features(), Scoring(**scoring), ready
    )
    checked, left_out, quarantine = check_input(raw, model, declared)
    quarantined = StreamedParquetDataset(filepath=str(folder / "quarantine.parquet"))
    quarantined.save(quarantine)
    finished, record = score_input(
        CheckedRows(raw, checked, left_out), model, VERSION, folder / "chunks", declared
    )
    scores = StreamedParquetDataset(filepath=str(folder / "scores.parquet"))
    scores.save(finished)
    return scores.load(), quarantined.load(), record


@pytest.fixture
def rows():
    return pd.DataFrame(
        {"id": [f"c{row}" for row in range(40)], "age": range(20, 60), "city": ["Oslo", "Rome"] * 20}
    )


@pytest.fixture(scope="module")
def artefact():
    table = pd.DataFrame(
        {
            "id": range(60),
            "age": [20 + row % 40 for row in range(60)],
            "city": ["Oslo", "Rome", "Bonn"] * 20,
            "bought": ["yes", "no", "no", "yes"] * 15,
        }
    )
    features = Features(derive={"decade": "floor(age / 10)"})
    made = derive_features(table, DATASET, features)
    target = Target(Binary())
    split = split_rows(made, target, DATASET, Split())
    encoder, encoded = encode_rows(
        made, split, target, DATASET, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    training = Training(model="mlp", boosting=True, epochs=2, device="cpu")
    model, _, _ = train_model(encoded, split, target, training)
    return assemble_artefact(
        encoder, model, Metrics(0.5, {}, {}, 100, {}), made, split, features, Ingestion(), DATASET
    )


def test_scores_do_not_depend_on_the_size_of_a_chunk(artefact, rows, tmp_path):
    rows = pd.concat([rows, rows.assign(id=rows["id"] + "b", age=rows["age"] + 7)])
    rows.iloc[50, 1] = 7
    agreed = contract(AGE | {"on_failure": "quarantine"}, UNIQUE | {"on_failure": "stop"})
    found, records = [], []
    for size in (7, 30, 1000):
        folder = tmp_path / str(size)
        _, _, record = run(files(rows.head(33), rows.tail(47)), artefact, folder, agreed, chunk_rows=size)
        found.append(((folder / "scores.parquet").read_bytes(), (folder / "quarantine.parquet").read_bytes()))
        records.append(replace(record, seconds=0))
    assert found[0] == found[1] == found[2]
    assert records[0] == records[1] == records[2]
    scores = pd.read_parquet(tmp_path / "7/scores.parquet")
    once = artefact.predict(rows.reset_index(drop=True).drop(index=50))
    assert list(scores) == ["input_row", "id", "probability", "decision", "model_version"]
    assert scores["input_row"].tolist() == once.index.tolist()
    assert scores["probability"].tolist() == once["probability"].tolist()
    assert scores["decision"].tolist() == once["decision"].tolist()
    assert set(scores["model_version"]) == {3}
    assert records[0].mean_score == pytest.approx(once["probability"].mean(), abs=1e-9)


def test_what_was_finished_before_a_kill_is_not_scored_again(rows, tmp_path):
    _, _, record = run(files(rows), Plain(), tmp_path / "whole", chunk_rows=10)
    with pytest.raises(KeyboardInterrupt):
        run(files(rows), Plain(fails_at=3), tmp_path / "killed", chunk_rows=10)
    assert not (tmp_path / "killed/scores.parquet").exists()
    resumed = Plain()
    _, _, again = run(files(rows), resumed, tmp_path / "killed", chunk_rows=10)
    assert resumed.calls == 2
    assert (tmp_path / "killed/scores.parquet").read_bytes() == (
        tmp_path / "whole/scores.parquet"
    ).read_bytes()
    assert replace(again, seconds=0) == replace(record, seconds=0)
    # Nothing is left of the chunks.
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        "quarantine.parquet",
        "scores.parquet",
    ]


@pytest.mark.parametrize("changed", ["rows", "declaration", "model", "code"])
def test_something_else_starts_anew(rows, tmp_path, monkeypatch, changed):
    with pytest.raises(KeyboardInterrupt):
        run(files(rows), Plain(fails_at=3), tmp_path, chunk_rows=10)
    model = Plain()
    if changed == "rows":
        rows = rows.assign(age=rows["age"] + 1)
    if changed == "model":
        monkeypatch.setattr(sys.modules[__name__], "VERSION", replace(VERSION, version=4))
    if changed == "code":
        monkeypatch.setattr(score, "package_sha256", lambda: "of another release")
    agreed = contract(AGE) if changed == "declaration" else None
    scores, _, _ = run(files(rows), model, tmp_path, agreed, chunk_rows=10)
    assert model.calls == 4
    assert scores["probability"].tolist() == (rows["age"] / 100).tolist()


def test_rows_that_break_the_contract_are_kept_apart_with_every_reason(rows, tmp_path):
    rows.loc[[3, 38], "age"] = 7
    rows.loc[38, "id"] = "c0"
    agreed = contract(
        AGE | {"on_failure": "quarantine"}, UNIQUE | {"on_failure": "quarantine"}, max_quarantined=0.2
    )
    scores, quarantine, record = run(files(rows), Plain(), tmp_path, agreed, chunk_rows=15)
    assert quarantine["input_row"].tolist() == [0, 3, 38]
    assert [list(reasons) for reasons in quarantine["quarantine_reasons"]] == [
        ["id unique"],
        ["age at least 18"],
        ["age at least 18", "id unique"],
    ]
    assert quarantine["city"].tolist() == ["Oslo", "Rome", "Oslo"]
    assert sorted([*scores["input_row"], *quarantine["input_row"]]) == list(range(40))
    assert (record.rows, record.quarantined, record.scored) == (40, 3, 37)
    with pytest.raises(ContractError, match=r"3 of 40 rows \(7.50%\) are quarantined.*\n.*2 × "):
        run(
            files(rows), Plain(), tmp_path, agreed.model_copy(update={"max_quarantined": 0.05}), chunk_rows=15
        )


def test_keys_that_stand_in_two_chunks_stop_the_scoring_and_are_named(rows, tmp_path):
    rows.loc[39, "id"] = "c1"
    with pytest.raises(ContractError, match=r"2 of 40 rows .* e.g. 'c1' \(row 1\), 'c1' \(row 39\)"):
        run(files(rows), Plain(), tmp_path, contract(UNIQUE | {"on_failure": "stop"}), chunk_rows=10)
    assert not (tmp_path / "scores.parquet").exists()
    assert (tmp_path / "quarantine.parquet").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="age"), "no column 'age', which the signature of the model declares"),
        (lambda rows: rows.drop(columns="id"), "no column 'id', which dataset.id declares"),
        (
            lambda rows: rows.assign(age=rows["age"].astype(str) + " years"),
            "'age' held numbers when the model was",
        ),
        (lambda rows: rows.assign(input_row=1), "'input_row', which the quarantine adds"),
        (lambda rows: rows.head(0), "only a header, no rows"),
    ],
)
def test_rows_that_cannot_be_scored_are_explained(rows, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        run(files(change(rows)), Plain(), tmp_path)


def test_the_target_need_not_be_there_and_is_not_looked_at(rows, tmp_path):
    target = {"expect": "column_values_to_be_in_set", "column": "bought", "value_set": ["yes", "no"]}
    agreed = contract(target | {"on_failure": "stop"})
    without, _, _ = run(files(rows), Plain(), tmp_path / "without", agreed)
    wrong, _, _ = run(files(rows.assign(bought="perhaps")), Plain(), tmp_path / "with", agreed)
    pd.testing.assert_frame_equal(without, wrong)


def test_one_row_without_a_number_is_scored(tmp_path):
    one = pd.DataFrame({"id": ["a"], "age": [""], "city": ["12"]})
    dataset = DATASET.model_copy(update={"numeric": ["age"]})
    scores, _, _ = run(files(one), Plain(), tmp_path, dataset=dataset)
    assert scores["probability"].tolist() == [0.0]


def test_rows_that_change_between_check_and_score_are_refused(rows, tmp_path):
    declared = Declared(DATASET, Ingestion(), contract(), Features(), Scoring())
    checked, left_out, _ = check_input(files(rows), Plain(), declared)
    with pytest.raises(DataError, match="have changed since they were checked"):
        score_input(CheckedRows(files(rows.tail(3)), checked, left_out), Plain(), VERSION, tmp_path, declared)


def test_windows_look_back_over_all_chunks(tmp_path):
    dataset = Dataset(target="bought", positive="yes", time="day", id="id")
    features = Features(windows={"before": Window(statistic="lag", of="age", rows=1)})
    rows = pd.DataFrame({"id": range(6), "day": [5, 0, 1, 4, 2, 3], "age": [10, 20, 30, 40, 50, 60]})
    rows.loc[4, "age"] = 7
    counts = Plain().unseen_counts
    model = SimpleNamespace(
        inputs={"before": "number"},
        numbers=["before"],
        raw_values=None,
        threshold=0.5,
        task=Binary(),
        prediction_types=Binary().prediction_types(),
        predict=predict_before,
        unseen_counts=counts,
        derivation=Derivation({}, {}),
    )
    agreed = contract(AGE | {"min_value": 8, "on_failure": "quarantine"}, max_quarantined=0.5)
    found = [
        run(files(rows), model, tmp_path / str(size), agreed, features, dataset, chunk_rows=size)[0]
        for size in (2, 6)
    ]
    pd.testing.assert_frame_equal(*found)
    # The row of day 2 is quarantined, so that day 3 follows on day 1.
    assert dict(zip(found[0]["day"], found[0]["probability"], strict=True)) == {
        5: 40,
        0: 0,
        1: 20,
        4: 60,
        3: 30,
    }
    ready = rows.assign(before=1.0)[["before"]]
    scores, _, record = run(files(ready), model, tmp_path / "ready", agreed, features, dataset, ready=True)
    assert scores["probability"].tolist() == [1.0] * 6
    assert list(scores) == ["input_row", "probability", "decision", "model_version"]
    assert record.quarantined == 0


def test_rows_that_windows_find_nothing_before_are_counted(tmp_path):
    dataset = Dataset(target="bought", positive="yes", time="day", id="id")
    windows = {"before": {"statistic": "lag", "rows": 1}, "spent": {"statistic": "sum"}}
    made = {name: Window(of="age", by=["shop"], **window) for name, window in windows.items()}
    model = SimpleNamespace(
        inputs={"before": "number"},
        numbers=[],
        raw_values=None,
        threshold=0.5,
        task=Binary(),
        prediction_types=Binary().prediction_types(),
        predict=predict_before,
        unseen_counts=Plain().unseen_counts,
        derivation=Derivation({}, {}),
    )
    # The first rows of both shops; a sum that is 0 is none.
    rows = pd.DataFrame(
        {"id": range(4), "day": range(4), "shop": ["a", "a", "b", "a"], "age": [0, 20, 30, 40]}
    )
    _, _, record = run(
        files(rows), model, tmp_path / "four", None, Features(windows=made), dataset, chunk_rows=3
    )
    assert record.without_history == {"before": 2, "spent": 2}
    assert "2 of 4 rows" in scoring_markdown({"scoring_record": record})
    _, _, record = run(files(rows.tail(1)), model, tmp_path / "one", None, Features(windows=made), dataset)
    said = "1 of 1 rows have no earlier row in the input for before, spent; hand in the rows that"
    assert said in scoring_markdown({"scoring_record": record})


def predict_before(rows):
    probability = rows["before"].fillna(0)
    return pd.DataFrame({"probability": probability, "decision": probability >= 0.5})


@pytest.mark.parametrize(
    ("threshold", "reasons_for", "told"),
    [
        (0.21, "positive", ["", "age = 21 (2)", "age = 22 (2)"]),
        (0.21, "all", ["age = 20 (2)", "age = 21 (2)", "age = 22 (2)"]),
        (0.9, "positive", ["", "", ""]),
    ],
)
def test_reasons_stand_beside_the_scores_that_are_acted_on_or_beside_all(
    rows, tmp_path, threshold, reasons_for, told
):
    class Telling(Plain):
        def reasons(self, rows, count):
            assert len(rows)
            return [f"age = {age} ({count})" for age in rows["age"]]

    model = Telling(threshold=threshold)
    options = {"reasons": 2, "reasons_for": reasons_for}
    scores, _, _ = run(files(rows.head(3)), model, tmp_path, chunk_rows=2, **options)
    assert scores["reasons"].tolist() == told
    assert "reasons" not in run(files(rows), model, tmp_path, reasons=0)[0]
