from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.schedule.state import (
    Record,
    Result,
    Running,
    State,
    only_scheduler,
    open_state,
    read_records,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_what_is_written_is_read_back(tmp_path):
    record = Record(NOON, 2, NOON, Running(NOON, 7), Result("failed", -9, 1, NOON, NOON, "log"))
    State(tmp_path / "deep" / "state.json").put("finance", record)
    assert State(tmp_path / "deep" / "state.json")["finance"] == record


def test_a_state_that_cannot_be_written_stays_in_memory_and_is_written_later(tmp_path, monkeypatch):
    state = State(tmp_path / "state.json")
    state.put("finance", Record(NOON))

    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        state.put("finance", Record(NOON, attempt=3))
        assert "No space left" in str(state.save())
        assert state["finance"].attempt == 3
        assert State(tmp_path / "state.json")["finance"].attempt == 0
    assert state.save() is None
    assert State(tmp_path / "state.json")["finance"].attempt == 3


@pytest.mark.parametrize(
    "text", ["", "[]", '{"verticals": {"finance": {}}}', '{"verticals": {"finance": 3}}']
)
def test_a_damaged_state_is_moved_aside_by_a_scheduler_only(tmp_path, text):
    file, said = tmp_path / "state.json", []
    file.write_text(text)
    with pytest.raises(LeptonError, match="replaces it"):
        State(file)
    assert file.exists()
    open_state(file, said.append)
    assert read_records(file) == {}
    assert (tmp_path / "state.json.damaged").read_text() == text
    assert said == [
        "state.json is damaged and was moved to state.json.damaged: missed starts and retries are lost"
    ]


def test_a_second_scheduler_is_told_who_is_first(tmp_path):
    def schedule() -> None:
        with only_scheduler(tmp_path):
            pass

    with ThreadPoolExecutor(1) as second:
        with only_scheduler(tmp_path), pytest.raises(LeptonError, match=f"process {os.getpid()} on "):
            second.submit(schedule).result()
        second.submit(schedule).result()
