"""One present for labels: rows that wait for theirs stop no run, teach nothing, and are watched at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.contracts.contract import check_contract, enforce_contract
from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.features.derive import derive_all, derive_features
from lepton_pipeline.operations.monitoring.new_rows import score_new_rows
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Split, Window
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.ingest import ingest_table
from lepton_pipeline.tasks.split import split_rows

WAITING = 60


@pytest.fixture
def dated(make_small, tmp_path):
    """Finance with a row an hour, whose labels take sixty; the latest have none yet."""
    project = make_small(tmp_path / "project")
    (file,) = (project.path / "data/01_raw/finance").iterdir()
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    start = datetime.now(UTC) - timedelta(hours=len(rows))
    rows["seen"] = [
        (start + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%S") for hour in range(len(rows))
    ]
    rows.loc[rows.index[-WAITING + 2 :], "default payment next month"] = ""
    rows.to_csv(file, index=False)

    def change(declared):
        declared["dataset"] |= {"time": "seen", "label_delay": f"{WAITING}h"}
        declared["ingestion"] = {"dates": {"seen": "ISO8601"}}
        declared["split"] = {"strategy": "time"}

    project.declare("finance", change)
    return project


def present_of(project) -> str:
    return project.runs()[0].data.params["dataset.present"]


@pytest.mark.exhaustive
def test_a_run_leaves_out_what_waits_and_those_that_go_on_keep_its_present(dated, warm):
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()
    done = warm.run(dated.path, "run", "--pipelines", "finance")
    assert done.returncode == 0, done.said
    assert f"{WAITING - 1} wait for their label" in done.said
    used = pd.read_parquet(dated.output("04_feature", "feature_table.parquet"))
    assert 400 - WAITING <= len(used) <= 400 - WAITING + 1
    record = json.loads(dated.output("02_intermediate", "ingestion.json").read_text())
    first = dated.runs()[0]
    assert before <= record["present"] == first.data.params["dataset.present"]
    # As if the first run had been a day ago.
    earlier = (datetime.fromisoformat(record["present"]) - timedelta(days=1)).isoformat()
    dated.output("02_intermediate", "ingestion.json").write_text(json.dumps(record | {"present": earlier}))
    dated.output("04_feature", "feature_table.parquet").unlink()
    for options in (["--only-missing-outputs"], ["--from-nodes", "finance.derive_features"]):
        done = warm.run(
            dated.path, "run", "--pipelines", "finance", "--to-nodes", "finance.split_rows", *options
        )
        assert done.returncode == 0, done.said
        assert "Replacing" not in done.said
        assert present_of(dated) == earlier
        assert len(pd.read_parquet(dated.output("04_feature", "feature_table.parquet"))) == len(used) - 24
    hashes = {run.data.tags["configuration.sha256"] for run in dated.runs()}
    assert len(hashes) == 1
    # A table that is read again is of now.
    done = warm.run(dated.path, "run", "--pipelines", "finance", "--to-nodes", "finance.split_rows")
    assert present_of(dated) >= before


class Half:
    """Scores every row with a half."""

    task = Binary()

    def scores(self, rows):
        return np.full(len(rows), 0.5)


def test_live_and_replayed_monitoring_see_the_same(raw_file):
    """What was there at a date, and was compared then, is compared again in a replay of that date."""
    draw = np.random.default_rng(5)
    days = pd.Series(pd.date_range("2026-01-01", periods=400, freq="6h"))
    rows = pd.DataFrame({"day": days.astype(str), "x": draw.normal(size=400), "y": draw.integers(0, 2, 400)})
    at = pd.Timestamp("2026-03-01")
    live_rows = rows.assign(y=rows["y"].where(days <= at - pd.Timedelta(9, "D")))[days <= at]
    features = Features(
        derive={"bad": "y * 1"}, windows={"of_late": Window(statistic="mean", of="bad", rows=20)}
    )
    roles = Dataset(target="y", positive=1, time="day", label_delay="9d", exclude=["bad"])
    found = []
    for given, moment in ((live_rows, {"present": "2026-03-01"}), (rows, {"as_of": "2026-03-01"})):
        dataset = roles.model_copy(update=moment)
        raw, contract = [raw_file(given.to_csv(index=False))], Contract()
        table, _ = ingest_table(raw, dataset, Ingestion(dates={"day": "ISO8601"}), contract, features)
        result, quarantine, _ = check_contract(table, dataset, contract, features)
        assert quarantine.empty
        clean = enforce_contract(table, quarantine, result, contract).frame()
        watched, learnt = (make(clean, dataset, features) for make in (derive_all, derive_features))
        seen = TrainingRows.of(learnt, pd.DataFrame({"part": "train", "label": learnt["y"]}), ["x"], dataset)
        span = (0.0, pd.Timestamp("2026-02-01").timestamp())
        scored = score_new_rows(watched, Half(), seen, span, dataset)
        assert (len(scored), scored["label"].notna().sum()) == (112, 76)
        found.append(
            (scored, watched[["day", "x", "of_late"]], learnt.astype({"y": "float64", "bad": "float64"}))
        )
    for live, replayed in zip(*found, strict=True):
        pd.testing.assert_frame_equal(live, replayed, check_exact=True)


def test_rows_whose_target_stays_missing_are_the_positive_class(raw_file):
    days = pd.Series(pd.date_range("2026-01-01", periods=300, freq="D"))
    came = (days + pd.Timedelta(3, "D")).astype(str).where(days.index % 5 > 0, "")
    came = came.where(days <= "2026-10-01", "")
    rows = pd.DataFrame({"day": days.astype(str), "x": days.index, "came": came})
    dataset = Dataset(
        target="came", positive_when="is_missing(came)", time="day", label_delay="20d", present="2026-10-21"
    )
    ingestion, features = Ingestion(dates={"day": "ISO8601", "came": "ISO8601"}), Features()
    table, record = ingest_table(
        [raw_file(rows.to_csv(index=False))], dataset, ingestion, Contract(), features
    )
    result, quarantine, _ = check_contract(table, dataset, Contract(), features)
    made = derive_features(enforce_contract(table, quarantine, result, Contract()).frame(), dataset, features)
    split = split_rows(made, Target(Binary()), dataset, Split(strategy="time"))
    # The 274 days up to the first of October, every fifth of which nobody came back.
    assert (len(table), len(made), len(split)) == (300, 274, 274)
    assert split["label"].sum() == 55
    assert record.base_rate == round(55 / 274, 6)
