"""Batch scoring by models of several classes and of a number."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import pytest
from tasks.shops import CLASSES, house_shop, wine_shop

from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.datasets import StreamedParquetDataset
from lepton_pipeline.errors import DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Scoring
from lepton_pipeline.scoring.check import CheckedRows, Declared, check_input
from lepton_pipeline.scoring.result import ScoringRecord
from lepton_pipeline.scoring.score import score_input
from lepton_pipeline.system.records import from_json, to_json, to_plain
from lepton_pipeline.terminal.scoring import scoring_markdown

VERSION = ModelVersion("shop", 3, "champion", "r", "w")


@dataclass
class Killed:
    """A model whose process is killed in a chunk; it counts the others."""

    artefact: Artefact
    at: int = 10**9
    calls: int = field(default=0)

    def __getattr__(self, name):
        return getattr(self.artefact, name)

    def predict(self, rows):
        if self.calls == self.at:
            raise KeyboardInterrupt
        self.calls += 1
        return self.artefact.predict(rows)


def run(rows: pd.DataFrame, dataset: Dataset, model: Any, folder, **scoring) -> tuple[bytes, ScoringRecord]:
    """The written file, and the record."""
    content = rows.to_csv(index=False).encode()
    raw = [RawFile("t.csv", lambda: io.BytesIO(content))]
    declared = Declared(dataset, Ingestion(), Contract(), Features(), Scoring(**scoring))
    checked, left_out, _ = check_input(raw, model, declared)
    finished, record = score_input(
        CheckedRows(raw, checked, left_out), model, VERSION, folder / "chunks", declared
    )
    StreamedParquetDataset(filepath=str(folder / "scores.parquet")).save(finished)
    return (folder / "scores.parquet").read_bytes(), replace(record, seconds=0)


@pytest.fixture(params=[wine_shop, house_shop])
def own(request):
    return request.param()


def test_a_killed_scoring_resumes_and_chunks_change_no_bit(own, tmp_path):
    whole = run(own.table, own.dataset, own.artefact, tmp_path / "whole")
    for size in (7, 100):
        folder, killed, resumed = tmp_path / str(size), Killed(own.artefact, at=1), Killed(own.artefact)
        with pytest.raises(KeyboardInterrupt):
            run(own.table, own.dataset, killed, folder, chunk_rows=size)
        assert run(own.table, own.dataset, resumed, folder, chunk_rows=size) == whole
        assert killed.calls + resumed.calls == -(-len(own.table) // size)
    assert from_json(ScoringRecord, to_json(whole[1])) == whole[1]


def test_classes_are_counted_and_the_mean_probability_is_that_of_the_decided_ones(tmp_path):
    shop = wine_shop()
    _, record = run(shop.table, shop.dataset, shop.artefact, tmp_path, chunk_rows=50)
    expected = shop.artefact.predict(shop.table)
    counts = Counter(expected["decision"])
    assert record.decided == {name: counts[name] for name in CLASSES}
    assert record.mean_probability == pytest.approx(expected["probability"].mean(), abs=1e-12)
    assert record.scored == 178
    absent = {"threshold", "positives", "share_positive", "mean_score", "mean_prediction", "mean_width"}
    assert not absent & set(to_plain(record))
    text = scoring_markdown({"scoring_record": record})
    first, count = counts.most_common(1)[0]
    assert f"- **decided**: {first!r} {count} ({count / 178:.1%}), " in text


def test_predictions_have_mean_median_and_width(tmp_path):
    shop = house_shop()
    _, record = run(shop.table, shop.dataset, shop.artefact, tmp_path, chunk_rows=50)
    expected = shop.artefact.predict(shop.table)
    assert record.mean_prediction == pytest.approx(expected["prediction"].mean(), rel=1e-12)
    assert record.median_prediction == expected["prediction"].median()
    assert record.mean_width == pytest.approx((expected["high"] - expected["low"]).mean(), rel=1e-12)
    assert not {"threshold", "positives", "decided", "mean_probability"} & set(to_plain(record))
    shown = (
        f"mean {record.mean_prediction:.1f}, median {record.median_prediction:.1f}, mean width of intervals"
    )
    assert f"- **predicted**: {shown} " in scoring_markdown({"scoring_record": record})


def test_without_a_positive_class_reasons_are_given_to_all_rows_or_none(own, tmp_path):
    rows = own.table.head(4)
    _, record = run(rows, own.dataset, own.artefact, tmp_path / "usual")
    assert "reasons" not in pd.read_parquet(tmp_path / "usual/scores.parquet")
    assert "scoring.reasons_for: all gives every row some" in scoring_markdown({"scoring_record": record})
    _, record = run(rows, own.dataset, own.artefact, tmp_path / "all", reasons_for="all", chunk_rows=3)
    scores = pd.read_parquet(tmp_path / "all/scores.parquet")
    assert scores["reasons"].tolist() == own.artefact.reasons(rows, 3)
    assert record.remark is None
    _, record = run(rows, own.dataset, own.artefact, tmp_path / "none", reasons=0)
    assert record.remark is None


def test_a_column_with_the_name_of_a_prediction_is_refused(tmp_path):
    shop = wine_shop()
    rows = shop.table.assign(probability_A=range(len(shop.table)))
    dataset = shop.dataset.model_copy(update={"id": "probability_A"})
    with pytest.raises(DataError, match="'probability_A' has a name that scoring needs"):
        run(rows, dataset, shop.artefact, tmp_path)


def test_the_most_frequent_classes_are_shown():
    decided = {f"c{place}": count for place, count in enumerate([1, 0, 50, 30, 7, 9, 3])}
    record = ScoringRecord(
        model=VERSION,
        files=[],
        rows=100,
        quarantined=0,
        scored=100,
        seconds=1.0,
        decided=decided,
        mean_probability=0.5,
    )
    said = (
        "'c2' 50 (50.0%), 'c3' 30 (30.0%), 'c5' 9 (9.0%), 'c4' 7 (7.0%), 'c6' 3 (3.0%) and 2 more classes 1"
    )
    assert f"{said}; mean probability 0.5000" in scoring_markdown({"scoring_record": record})
