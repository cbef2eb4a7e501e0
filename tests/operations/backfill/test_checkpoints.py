from __future__ import annotations

import shutil

import pytest

from lepton_pipeline.operations.backfill.walk import STORE, Checkpoints, DatedDecision

KEY = {"data": "a", "policy": "b"}


def dated(date):
    return DatedDecision(date, True, ("on_drift",), "", 1, None, "", (), ("age",), None, False, None)


@pytest.fixture
def checkpoints(tmp_path, store):
    made = Checkpoints(tmp_path)
    assert made.begin(KEY) == []
    made.restore(None)
    shutil.copy(store, made.store / STORE)
    return made


def test_decisions_are_kept_in_a_row_with_the_store_of_then(checkpoints):
    for name in ("one", "two", "four"):
        checkpoints.finish(dated(name))
    assert checkpoints.begin(KEY) == []
    # What follows a date that is not finished was decided after something else.
    assert checkpoints.finished(["one", "two", "three", "four"]) == [dated("one"), dated("two")]
    (checkpoints.store / STORE).write_text("broken half-way")
    (checkpoints.store / f"{STORE}-journal").touch()
    checkpoints.restore("two")
    assert (checkpoints.store / STORE).read_bytes()[:15] == b"SQLite format 3"
    assert not (checkpoints.store / f"{STORE}-journal").exists()
    checkpoints.restore(None)
    assert checkpoints.finished(["one"]) == []


def test_what_has_changed_drops_the_decisions_and_is_named(checkpoints):
    checkpoints.finish(dated("one"))
    checkpoints.keep_model("one", {"data": "a"}, lambda folder: (folder / "weights").touch())
    assert checkpoints.begin(KEY | {"policy": "c"}) == ["policy"]
    assert checkpoints.finished(["one"]) == []
    # Another policy finds the model again; other rows do not.
    assert checkpoints.has_model("one", {"data": "a"})
    assert not checkpoints.has_model("one", {"data": "z"})
    assert not checkpoints.has_model("two", {"data": "a"})


def test_half_a_folder_is_none(checkpoints):
    def breaks(folder):
        (folder / "weights").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoints.keep_model("one", {"data": "a"}, breaks)
    assert not checkpoints.has_model("one", {"data": "a"})
    assert checkpoints.begin(KEY) == []
    assert list((checkpoints.model("one").parent).iterdir()) == []
