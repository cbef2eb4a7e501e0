"""The log of what is served: what it holds, how large it becomes, and that no request waits or fails for it."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime
from time import monotonic, sleep, time

import pandas as pd
import pytest

from lepton_pipeline.model.logged import Logged, hash_value
from lepton_pipeline.parameters import ServedLog
from lepton_pipeline.serving import request_log
from lepton_pipeline.serving.request_log import SUFFIX, RequestLog

ROWS = pd.DataFrame({"age": [31, None], "city": ["Oslo", "Rome"], "name": ["Ada", "Bo"]})
SCORED = pd.DataFrame({"probability": [0.1 + 0.2, 0.5], "decision": [False, True]})


def log_of(folder, log=None, **named):
    return RequestLog(folder, Logged(log or ServedLog(), **named), 3, "ab12")


def lines(folder):
    return [
        json.loads(line)
        for path in sorted(folder.glob(f"*{SUFFIX}"))
        for line in path.read_text().splitlines()
    ]


def test_a_line_a_row_with_id_time_inputs_score_and_version(tmp_path):
    log = log_of(tmp_path / "log", ServedLog(hashed=["city"], dropped=["name"]), id="customer", time="day")
    log.add(ROWS.assign(customer=["c1", "c2"], day=["2026-05-01", None]), ROWS, SCORED)
    log.close()
    first, second = lines(tmp_path / "log")
    assert datetime.fromisoformat(first.pop("at")).utcoffset().total_seconds() == 0
    assert first == {
        "version": 3,
        "weights": "ab12",
        "id": "c1",
        "time": "2026-05-01",
        "inputs": {"age": 31, "city": hash_value("Oslo")},
        # All digits: the score that was served.
        "prediction": {"probability": 0.1 + 0.2, "decision": False},
    }
    assert (second["id"], second["time"], second["inputs"]["age"]) == ("c2", None, None)
    (path,) = (tmp_path / "log").iterdir()
    assert path.stat().st_mode & 0o007 == 0


def test_a_row_without_an_id_is_kept_and_a_hashed_id_is_hashed(tmp_path):
    log = log_of(tmp_path, ServedLog(hashed=["customer"]), id="customer")
    log.add(ROWS, ROWS, SCORED)
    log.add(ROWS.assign(customer=[7, 8]), ROWS, SCORED)
    log.close()
    assert [line["id"] for line in lines(tmp_path)] == [None, None, hash_value(7), hash_value("8")]


def test_several_logs_share_a_folder_and_its_oldest_files_make_room(tmp_path, monkeypatch):
    monkeypatch.setattr(request_log, "_MEGABYTE", 200)
    # 20 files of 200 bytes at most.
    small = ServedLog(megabytes=20)
    one, other = log_of(tmp_path, small), log_of(tmp_path, small)
    row, score = ROWS[["age"]].head(1), SCORED[["decision"]].head(1)
    for at in range(60):
        for log in (one, other):
            log.add(row.assign(age=at), row.assign(age=at), score)
    one.close()
    other.close()
    files = list(tmp_path.iterdir())
    assert sum(path.stat().st_size for path in files) <= 20 * 200
    assert max(path.stat().st_size for path in files) <= 200
    assert {"age": 59} in [line["inputs"] for line in lines(tmp_path)]
    assert {"age": 0} not in [line["inputs"] for line in lines(tmp_path)]


def test_files_that_are_too_old_are_removed_and_others_left_alone(tmp_path):
    old, foreign = tmp_path / f"2020-01-01.a{SUFFIX}", tmp_path / "notes.txt"
    for path in (old, foreign):
        path.write_text("x\n")
        os.utime(path, (time() - 91 * 86_400,) * 2)
    log = log_of(tmp_path)
    log.add(ROWS, ROWS, SCORED)
    log.close()
    assert not old.exists()
    assert foreign.exists()


def test_a_full_disk_is_logged_once_and_no_request_fails(tmp_path, caplog, monkeypatch):
    log = log_of(tmp_path)

    def full(*lines):
        raise OSError(28, "No space left on device")

    class Full:
        write = close = staticmethod(full)

    monkeypatch.setattr(log, "_next_file", lambda day, largest: Full())
    with caplog.at_level(logging.WARNING, "lepton_pipeline.serving"):
        for _ in range(5):
            log.add(ROWS, ROWS, SCORED)
        log.close()
    (record,) = caplog.records
    assert (
        "2 served rows are not in the log, 2 in all: [Errno 28] No space left on device"
        in record.getMessage()
    )
    monkeypatch.undo()
    # The disk has room again.
    log.add(ROWS, ROWS, SCORED)
    log.close()
    assert len(lines(tmp_path)) == 2


def test_a_folder_that_cannot_be_made_is_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    log = log_of(tmp_path / "file" / "log")
    log.add(ROWS, ROWS, SCORED)
    log.close()
    assert "2 served rows are not in the log" in caplog.text


def test_no_request_waits_for_a_disk_that_does_not_keep_up(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(request_log, "_WAITING", 5)
    log = log_of(tmp_path)
    monkeypatch.setattr(log, "_write", lambda served: sleep(0.2))
    started = monotonic()
    for _ in range(50):
        log.add(ROWS, ROWS, SCORED)
    assert monotonic() - started < 0.2
    assert "the disk does not keep up" in caplog.text
    log.close()


def test_a_row_larger_than_a_file_is_left_out(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(request_log, "_MEGABYTE", 400)
    log = log_of(tmp_path, ServedLog(megabytes=20))
    log.add(ROWS, ROWS.assign(city=["x" * 500, "Rome"]), SCORED)
    log.close()
    assert [line["inputs"]["city"] for line in lines(tmp_path)] == ["Rome"]
    assert "1 served rows are not in the log" in caplog.text


def test_values_of_every_type_come_back_as_they_were(tmp_path):
    rows = pd.DataFrame(
        {
            '100 % "sure"': [0.1 + 0.2, None],
            "whole": [2**53 + 1, -1],
            "nullable": pd.array([1, None], "Int64"),
            "truth": [True, False],
            "maybe": pd.array([None, True], "boolean"),
            "when": pd.to_datetime(["2026-01-02 03:04:05", None]),
            "mixed": pd.Series(["x", 1.5], dtype=object),
            "lists": pd.Series([["a"], None], dtype=object),
        }
    )
    log = log_of(tmp_path)
    log.add(rows, rows, SCORED)
    log.close()
    first, second = (line["inputs"] for line in lines(tmp_path))
    assert list(first.values()) == [0.1 + 0.2, 2**53 + 1, 1, True, None, "2026-01-02T03:04:05", "x", ["a"]]
    assert list(second.values()) == [None, -1, None, False, True, None, 1.5, None]
    assert list(first) == list(rows)


def test_a_hashed_column_of_inputs_has_no_hash_where_nothing_is(tmp_path):
    log = log_of(tmp_path, ServedLog(hashed=["age"]))
    log.add(ROWS, ROWS, SCORED)
    log.close()
    assert [line["inputs"]["age"] for line in lines(tmp_path)] == [hash_value(31), None]


@pytest.mark.parametrize("value", ["\ud800", "a\nb", "日本", "50 %s"])
def test_any_text_is_one_line(tmp_path, value):
    log = log_of(tmp_path)
    log.add(ROWS, ROWS.assign(city=pd.Series([value, value], dtype=object)), SCORED)
    log.close()
    assert len(lines(tmp_path)) == 2
