"""Served rows as new rows of monitoring, with outcomes by id."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.artefact import assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.operations.monitoring.new_rows import score_new_rows
from lepton_pipeline.operations.monitoring.served import ServedRows, add_served
from lepton_pipeline.parameters import Dataset, Features, Ingestion, Leaks, ServedLog, Split, Training
from lepton_pipeline.serving.request_log import SUFFIX, RequestLog
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows

FEATURES = Features(derive={"decade": "floor(age / 10)"})
BY_ID = Dataset(target="bought", positive="yes", id="customer", served_log=ServedLog())
BY_TIME = BY_ID.model_copy(update={"time": "day"})


def table(rows=60, first=0):
    return pd.DataFrame(
        {
            "customer": range(first, first + rows),
            "day": pd.date_range("2026-01-01", periods=rows) + pd.Timedelta(days=first),
            "age": [20 + row % 40 for row in range(rows)],
            "city": (["Oslo", "Rome", "Bonn"] * rows)[:rows],
            "bought": (["yes", "no", "no", "yes"] * rows)[:rows],
        }
    )


def trained(dataset):
    """Model, all rows known to the training, and their span."""
    made = derive_features(table(), dataset, FEATURES)
    target = Target(Binary())
    split = split_rows(made, target, dataset, Split(strategy="time" if dataset.time else "stratified"))
    encoder, encoded = encode_rows(
        made, split, target, dataset, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    model, _, _ = train_model(encoded, split, target, Training(model="linear", epochs=2, device="cpu"))
    metrics = Metrics(0.5, {}, {}, 60, {})
    artefact = assemble_artefact(encoder, model, metrics, made, split, FEATURES, Ingestion(), dataset)
    seen = TrainingRows.of(made, split.assign(part="train"), artefact.inputs, dataset)
    span = (made["day"].min().timestamp(), made["day"].max().timestamp()) if dataset.time else None
    return artefact, seen, span


@pytest.fixture(scope="module")
def by_id():
    return trained(BY_ID.model_copy(update={"exclude": ["day"]}))


@pytest.fixture(scope="module")
def by_time():
    return trained(BY_TIME)


def serve(model, folder, *requests):
    """Log requests as the served model does."""
    log = RequestLog(folder, model.logged, 3, "w")
    for sent in requests:
        rows = model.read(sent)
        log.add(sent, rows, model.predict(rows))
    log.close()


def today(*parts, dataset=BY_ID):
    return derive_features(pd.concat(parts, ignore_index=True), dataset, FEATURES)


def test_a_served_row_takes_the_place_of_its_row_and_keeps_the_outcome(by_id, tmp_path):
    model, seen, span = by_id
    later = table(3, first=100)
    # The server was told another age than the table has by now.
    serve(model, tmp_path, later[["customer", "age", "city"]].assign(age=[50, 51, 52]))
    whole, found = add_served(today(table(), later), model, seen, span, BY_ID, tmp_path)
    assert found == ServedRows(3, 3, 0, 0)
    assert len(whole) == 63
    rows = whole.set_index("customer").loc[[100, 101, 102]]
    assert rows["age"].tolist() == [50, 51, 52]
    assert rows["decade"].tolist() == [5, 5, 5]
    assert rows["bought"].tolist() == ["yes", "no", "no"]
    new = score_new_rows(whole, model, seen, span, BY_ID)
    assert new["label"].tolist() == [1, 0, 0]
    assert new["model"].tolist() == model.predict(rows.reset_index())["probability"].tolist()


def test_a_served_row_that_is_not_in_the_table_is_added_and_waits(by_id, tmp_path):
    model, seen, span = by_id
    serve(
        model, tmp_path, pd.DataFrame({"customer": [200, 201], "age": [30, None], "city": ["Oslo", "Bonn"]})
    )
    whole, found = add_served(today(table()), model, seen, span, BY_ID, tmp_path)
    assert found == ServedRows(2, 0, 0, 0)
    new = score_new_rows(whole, model, seen, span, BY_ID)
    assert len(new) == 2
    assert new["label"].isna().all()
    assert whole["customer"].tolist()[-2:] == [200, 201]
    assert list(whole) == list(today(table()))


def test_people_give_it_a_label(by_id, tmp_path):
    model, seen, span = by_id
    serve(model, tmp_path / "log", pd.DataFrame({"customer": [200, 201], "age": [30, 40], "city": "Oslo"}))
    (tmp_path / "answers.csv").write_text("customer,answer\n201,yes\n")
    dataset = BY_ID.model_copy(update={"answers": str(tmp_path / "answers.csv")})
    whole, _ = add_served(today(table()), model, seen, span, dataset, tmp_path / "log")
    new = score_new_rows(whole, model, seen, span, dataset)
    assert new["label"].fillna(-1).tolist() == [-1, 1]


def test_the_latest_of_an_id_counts_and_what_the_training_knew_stays(by_id, tmp_path):
    model, seen, span = by_id
    again = pd.DataFrame({"customer": [200], "age": [30], "city": ["Oslo"]})
    known = pd.DataFrame({"customer": [5], "age": [99], "city": ["Rome"]})
    serve(model, tmp_path, again, again.assign(age=33), known)
    whole, found = add_served(today(table()), model, seen, span, BY_ID, tmp_path)
    assert found == ServedRows(1, 0, 2, 0)
    assert whole["age"].tolist()[-1] == 33
    assert whole["age"].tolist()[:60] == table()["age"].tolist()


def test_rows_without_an_id_count_each(by_id, tmp_path):
    model, seen, span = by_id
    serve(model, tmp_path, pd.DataFrame({"age": [30, 30], "city": ["Oslo", "Oslo"]}))
    whole, found = add_served(today(table()), model, seen, span, BY_ID, tmp_path)
    assert found == ServedRows(2, 0, 0, 0)
    assert whole["customer"].isna().sum() == 2
    assert len(score_new_rows(whole, model, seen, span, BY_ID)) == 2


def test_a_row_has_the_time_that_was_sent_else_that_of_the_request(by_time, tmp_path):
    model, seen, span = by_time
    sent = pd.DataFrame({"customer": [200, 201], "age": [30, 40], "city": "Oslo"})
    serve(model, tmp_path, sent.assign(day=["2026-06-01", "2025-12-01"]), sent.assign(customer=[300, 301]))
    whole, found = add_served(today(table(), dataset=BY_TIME), model, seen, span, BY_TIME, tmp_path)
    assert found == ServedRows(4, 0, 0, 0)
    days = whole.set_index("customer")["day"]
    assert days[200] == pd.Timestamp("2026-06-01")
    assert abs(days[300] - pd.Timestamp.now("UTC").tz_localize(None)) < pd.Timedelta(minutes=5)
    # Of December 2025 is before the training.
    assert len(score_new_rows(whole, model, seen, span, BY_TIME)) == 3


def test_a_replay_of_a_date_sees_nothing_of_later(by_time, tmp_path):
    model, seen, span = by_time
    sent = pd.DataFrame({"customer": [200, 201], "age": [30, 40], "city": "Oslo"})
    serve(model, tmp_path, sent.assign(day=["2026-03-05", "2026-03-20"]), sent.assign(customer=[300, 301]))
    # The first request came on 10 March, the second today.
    (path,) = tmp_path.iterdir()
    first, *rest = path.read_text().splitlines()
    lines = [json.loads(first) | {"at": "2026-03-10T08:00:00+00:00"}]
    lines += [json.loads(rest[0]) | {"at": "2026-03-10T08:00:00+00:00"}, *map(json.loads, rest[1:])]
    path.write_text("\n".join(map(json.dumps, lines)))
    dataset = BY_TIME.model_copy(update={"as_of": "2026-03-15"})
    whole, found = add_served(today(table(), dataset=dataset), model, seen, span, dataset, tmp_path)
    assert (found.rows, found.joined) == (1, 0)
    assert whole["customer"].tolist()[-1] == 200
    earlier = BY_TIME.model_copy(update={"as_of": "2026-03-09"})
    _, none = add_served(today(table(), dataset=earlier), model, seen, span, earlier, tmp_path)
    assert none.rows == 0


def test_a_hashed_id_is_joined_by_its_hash(tmp_path):
    dataset = BY_ID.model_copy(update={"exclude": ["day"], "served_log": ServedLog(hashed=["customer"])})
    model, seen, span = trained(dataset)
    later = table(3, first=100)
    serve(model, tmp_path, later[["customer", "age", "city"]], later.assign(customer=[300, 301, 302]))
    assert b'"id": 100' not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    (tmp_path / "answers.csv").write_text("customer,answer\n301,yes\n")
    dataset = dataset.model_copy(update={"answers": str(tmp_path / "answers.csv")})
    whole, found = add_served(today(table(), later), model, seen, span, dataset, tmp_path)
    assert found == ServedRows(6, 3, 0, 0)
    assert whole["customer"].isna().sum() == 3
    new = score_new_rows(whole, model, seen, span, dataset)
    assert new["label"].fillna(-1).tolist() == [1, 0, 0, -1, 1, -1]


def test_broken_lines_are_counted(by_id, tmp_path):
    model, seen, span = by_id
    serve(model, tmp_path, pd.DataFrame({"customer": [200], "age": [30], "city": ["Oslo"]}))
    (tmp_path / f"2026-01-01.cut{SUFFIX}").write_text('{"at": "2026-01-01T00:00:00+00:00", "id": 7, "inp')
    (tmp_path / f"2026-01-02.other{SUFFIX}").write_text(json.dumps({"at": "2026"}) + "\n[]\n")
    _, found = add_served(today(table()), model, seen, span, BY_ID, tmp_path)
    assert found == ServedRows(1, 0, 0, 3)
    assert found.note == (
        "1 of the new rows were served, 0 of them stand in the table of today; 3 broken lines of the log were skipped."
    )


def test_an_empty_log_changes_nothing_and_an_absent_one_is_told(by_id, tmp_path):
    model, seen, span = by_id
    rows = today(table())
    whole, found = add_served(rows, model, seen, span, BY_ID, tmp_path)
    pd.testing.assert_frame_equal(whole, rows)
    assert found == ServedRows(0, 0, 0, 0)
    with pytest.raises(ConfigurationError, match=r"monitoring\.served: .* is no folder"):
        add_served(rows, model, seen, span, BY_ID, tmp_path / "absent")


def test_a_log_that_masks_what_the_model_reads_cannot_be_compared(tmp_path):
    model, seen, span = trained(
        BY_ID.model_copy(update={"exclude": ["day"], "served_log": ServedLog(hashed=["city"])})
    )
    with pytest.raises(DataError, match="the log masks 'city', which the model reads"):
        add_served(today(table()), model, seen, span, BY_ID, tmp_path)
