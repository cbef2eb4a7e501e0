"""A second version that scores beside the one in use."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from test_score import DATASET, VERSION, Plain, contract, files

from lepton_pipeline.datasets import StreamedParquetDataset
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Features, Ingestion, Scoring
from lepton_pipeline.registry import fetch
from lepton_pipeline.scoring import over_ray
from lepton_pipeline.scoring.check import CheckedRows, Declared, check_input
from lepton_pipeline.scoring.chunk import ChunkColumns, score_chunk
from lepton_pipeline.scoring.result import ScoringRecord, ShadowInterval
from lepton_pipeline.scoring.score import score_input
from lepton_pipeline.scoring.shadow import Shadow, compare_shadow
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.terminal.scoring import scoring_markdown

OTHER = ModelVersion("shop", 4, "challenger", "s", "x")


@dataclass
class Older(Plain):
    """A model to which everybody is `years` older."""

    years: int = 10
    inputs: dict[str, str] = field(default_factory=lambda: {"age": "number"})

    def predict(self, rows):
        return super().predict(rows.assign(age=rows["age"] + self.years))


@pytest.fixture
def rows():
    return pd.DataFrame(
        {"id": [f"c{row}" for row in range(40)], "age": range(20, 60), "city": ["Oslo", "Rome"] * 20}
    )


def run(raw, model, folder, shadow=None, **scoring):
    declared = Declared(
        DATASET, Ingestion(), contract(), Features(), Scoring(**{"reasons": 0, "chunk_rows": 7} | scoring)
    )
    checked, left_out, _ = check_input(raw, model, declared)
    rows = CheckedRows(raw, checked, left_out)
    finished, record = score_input(rows, model, VERSION, folder / "chunks", declared, shadow=shadow)
    scores = StreamedParquetDataset(filepath=str(folder / "scores.parquet"))
    scores.save(finished)
    return scores.load(), record


def test_the_scores_in_use_stay_as_they_are_and_those_of_the_shadow_stand_behind_them(rows, tmp_path):
    alone, without = run(files(rows), Plain(), tmp_path / "alone")
    both, record = run(files(rows), Plain(), tmp_path / "both", Shadow(Older(), OTHER))
    assert without.shadow is None
    assert "shadow" not in json.loads(to_json(without))
    pd.testing.assert_frame_equal(both[list(alone)], alone)
    assert list(both)[len(alone.columns) :] == ["shadow_probability", "shadow_decision"]
    assert both["shadow_probability"].tolist() == [(age + 10) / 100 for age in range(20, 60)]
    # Between 40 and 49 the older one is at or above the threshold.
    assert int((both["decision"] != both["shadow_decision"]).sum()) == 10
    assert (record.positives, record.shadow.changed) == (10, 10)
    assert from_json(ScoringRecord, to_json(record)) == record


def test_it_says_how_and_where_scores_differ():
    score = np.arange(20) / 20
    other = np.where(np.arange(20) >= 18, score - 0.9, score)
    scored = pd.DataFrame({"probability": score, "decision": score >= 0.5})
    scored["shadow_probability"], scored["shadow_decision"] = other, other >= 0.5
    parts = [scored.iloc[:3], scored.iloc[3:]]
    found = compare_shadow(parts, Shadow(Older(), OTHER), Binary())
    assert (found.rows, found.changed, found.share_changed) == (20, 2, 0.1)
    assert found.correlation == pytest.approx(np.corrcoef(score, other)[0, 1])
    assert found.mean_difference == pytest.approx(-0.09)
    assert found.largest_difference == pytest.approx(0.9)
    assert [each.rows for each in found.intervals] == [2] * 10
    assert [each.changed for each in found.intervals] == [0] * 9 + [2]
    last = found.intervals[-1]
    assert (last.low, last.high, last.mean_difference) == (0.9, 0.95, pytest.approx(-0.9))
    # The same figures however the rows were divided.
    assert compare_shadow([scored], Shadow(Older(), OTHER), Binary()) == found


def test_scores_that_are_all_equal_have_no_correlation_and_one_interval():
    scored = pd.DataFrame({"probability": [0.2, 0.2], "decision": [False, False]})
    scored["shadow_probability"], scored["shadow_decision"] = [0.1, 0.4], [False, False]
    found = compare_shadow([scored], Shadow(Older(), OTHER), Binary())
    assert found.correlation is None
    assert found.intervals == [ShadowInterval(0.2, 0.2, 2, pytest.approx(0.05), pytest.approx(0.2), 0)]


def test_no_row_at_all_is_no_error():
    empty = pd.DataFrame({"probability": [], "decision": [], "shadow_probability": [], "shadow_decision": []})
    found = compare_shadow([empty], Shadow(Older(), OTHER), Binary())
    assert (found.rows, found.changed, found.largest_difference, found.intervals) == (0, 0, None, [])


def test_of_numbers_it_counts_predictions_outside_of_the_interval():
    scored = pd.DataFrame({"prediction": [1.0, 2.0, 3.0], "low": [0.0, 1.0, 2.0], "high": [2.0, 3.0, 4.0]})
    beside = {"shadow_prediction": [2.0, 3.5, 1.9], "shadow_low": [0.0] * 3, "shadow_high": [9.0] * 3}
    found = compare_shadow([scored.assign(**beside)], Shadow(Older(), OTHER), Regression())
    assert (found.changed, found.compares, found.changes) == (
        2,
        "prediction",
        "predicted outside of the interval",
    )
    assert found.mean_difference == pytest.approx((1 + 1.5 - 1.1) / 3)


def test_a_killed_scoring_resumes_with_both_and_another_shadow_begins_anew(rows, tmp_path):
    whole, _ = run(files(rows), Plain(), tmp_path / "whole", Shadow(Older(), OTHER), chunk_rows=10)
    with pytest.raises(KeyboardInterrupt):
        run(files(rows), Plain(), tmp_path / "part", Shadow(Older(fails_at=3), OTHER), chunk_rows=10)
    resumed, beside = Plain(), Older()
    both, _ = run(files(rows), resumed, tmp_path / "part", Shadow(beside, OTHER), chunk_rows=10)
    assert (resumed.calls, beside.calls) == (2, 2)
    assert (tmp_path / "whole/scores.parquet").read_bytes() == (tmp_path / "part/scores.parquet").read_bytes()
    pd.testing.assert_frame_equal(both, whole)
    with pytest.raises(KeyboardInterrupt):
        run(files(rows), Plain(), tmp_path / "new", Shadow(Older(fails_at=3), OTHER), chunk_rows=10)
    anew = Plain()
    run(files(rows), anew, tmp_path / "new", Shadow(Older(), replace(OTHER, version=5)), chunk_rows=10)
    assert anew.calls == 4


def test_a_node_scores_both(rows, monkeypatch):
    monkeypatch.setattr(over_ray, "_unpacked", lambda model: model)
    columns = ChunkColumns(VERSION.version, ["id"], 0, "positive")
    made = over_ray.answer(pickle.dumps(rows), Plain(), pickle.dumps(columns), over_ray.code_facts(), Older())
    assert over_ray._scores(made) == score_chunk(rows, Plain(), columns, Older())
    assert "shadow_decision" in pd.read_parquet(io.BytesIO(made["scores"]))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"income": "number"}, r"version 4 needs column 'income', which the rows do not have"),
        ({"city": "number"}, r"version 4 learnt column 'city' as number, but it is read as text"),
    ],
)
def test_a_shadow_that_cannot_read_the_rows_is_refused_before_any_is_scored(rows, tmp_path, inputs, message):
    model = Plain()
    with pytest.raises(DataError, match=message + r"; score without it: --params shop\.scoring\.shadow=null"):
        run(files(rows), model, tmp_path, Shadow(Older(inputs=inputs), OTHER))
    assert model.calls == 0


def test_an_id_with_the_name_of_one_of_its_columns_is_refused(rows, tmp_path):
    renamed = rows.rename(columns={"id": "shadow_decision"})
    declared = Declared(
        DATASET.model_copy(update={"id": "shadow_decision"}), Ingestion(), contract(), Features(), Scoring()
    )
    checked, left_out, _ = check_input(files(renamed), Plain(), declared)
    found = CheckedRows(files(renamed), checked, left_out)
    with pytest.raises(DataError, match="'shadow_decision' has a name that scoring needs"):
        score_input(found, Plain(), VERSION, tmp_path, declared, shadow=Shadow(Older(), OTHER))


def test_the_summary_says_who_differs_where(rows, tmp_path):
    _, record = run(files(rows), Plain(), tmp_path, Shadow(Older(), OTHER))
    shown = scoring_markdown({"scoring_record": record})
    assert (
        "version 4, challenger: 10 of 40 rows (25.0%) decided otherwise; correlation 1.000; probability +0.1 on "
        "average, 0.1 apart at most" in shown
    )
    assert "most between 0.4 and 0.43: 4 of 4 rows, +0.1 on average" in shown


class Registry:
    """A client of a model with versions 1 to 3."""

    def __init__(self, **aliases):
        self.model = SimpleNamespace(name="shop", aliases=aliases)

    def get_registered_model(self, name):
        return self.model

    def get_model_version(self, name, version):
        return SimpleNamespace(run_id=f"run {version}")


@pytest.fixture
def registry(monkeypatch):
    import mlflow

    def of(model, **aliases):
        monkeypatch.setattr(mlflow, "MlflowClient", lambda: Registry(**aliases))
        versions = [SimpleNamespace(version=str(each)) for each in (1, 2, 3)]
        monkeypatch.setattr(fetch, "all_versions", lambda client, name: versions)
        loaded = SimpleNamespace(predictor=SimpleNamespace(weights_sha256="w"), task=model.task)
        monkeypatch.setattr(fetch, "load_artefact", lambda client, name, version: loaded)
        return loaded

    return of


def test_the_challenger_or_a_number_is_fetched(registry):
    # The registry has aliases as whole numbers.
    loaded = registry(Plain(), champion=3, challenger=2)
    assert fetch.fetch_shadow("shop", "challenger", Plain(), VERSION) == (
        loaded,
        ModelVersion("shop", 2, "challenger", "run 2", "w"),
    )
    assert fetch.fetch_shadow("shop", 1, Plain(), VERSION)[1].alias == ""


@pytest.mark.parametrize(
    ("shadow", "message"),
    [
        ("challenger", r"shop\.scoring\.shadow: shop has no challenger.*--params shop\.scoring\.shadow=null"),
        (3, r"shop\.scoring\.shadow: version 3 is the one that scores"),
        (9, r"shop\.scoring\.shadow: shop has no version 9; there are 1, 2, 3"),
    ],
)
def test_a_shadow_that_is_not_there_is_explained(registry, shadow, message):
    registry(Plain(), champion="3")
    with pytest.raises(ConfigurationError, match=message):
        fetch.fetch_shadow("shop", shadow, Plain(), VERSION)


def test_a_shadow_that_predicts_something_else_is_refused(registry):
    registry(SimpleNamespace(task=Regression()), challenger="2")
    with pytest.raises(ConfigurationError, match="version 2 cannot be compared with version 3: it predicts"):
        fetch.fetch_shadow("shop", "challenger", Plain(), VERSION)


def test_it_is_declared_as_challenger_or_a_version():
    assert "shadow" not in Scoring().model_dump()
    assert Scoring(shadow="challenger").shadow == "challenger"
    assert Scoring(shadow=2).shadow == 2
    for wrong in ("champion", 0):
        with pytest.raises(ValidationError, match="shadow"):
            Scoring(shadow=wrong)
