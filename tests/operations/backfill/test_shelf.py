from __future__ import annotations

import shutil

import pytest

from lepton_pipeline.operations.backfill.shelf import STORE, Shelf

KEY = {"data": "a", "policy": "b"}


@pytest.fixture
def shelf(tmp_path, store):
    made = Shelf(tmp_path)
    assert made.begin(KEY) == []
    made.restore(None)
    shutil.copy(store, made.store / STORE)
    return made


def test_decisions_are_kept_in_a_row_with_the_store_of_then(shelf):
    for name in ("one", "two", "four"):
        shelf.finish(name, {"date": name})
    assert shelf.begin(KEY) == []
    # What follows a date that is not finished was decided after something else.
    assert [each["date"] for each in shelf.finished(["one", "two", "three", "four"])] == ["one", "two"]
    (shelf.store / STORE).write_text("broken half-way")
    (shelf.store / f"{STORE}-journal").touch()
    shelf.restore("two")
    assert (shelf.store / STORE).read_bytes()[:15] == b"SQLite format 3"
    assert not (shelf.store / f"{STORE}-journal").exists()
    shelf.restore(None)
    assert shelf.finished(["one"]) == []


def test_what_has_changed_drops_the_decisions_and_is_named(shelf):
    shelf.finish("one", {"date": "one"})
    shelf.keep_model("one", {"data": "a"}, lambda folder: (folder / "weights").touch())
    assert shelf.begin(KEY | {"policy": "c"}) == ["policy"]
    assert shelf.finished(["one"]) == []
    # Another policy finds the model again; other rows do not.
    assert shelf.has_model("one", {"data": "a"})
    assert not shelf.has_model("one", {"data": "z"})
    assert not shelf.has_model("two", {"data": "a"})


def test_half_a_folder_is_none(shelf):
    def breaks(folder):
        (folder / "weights").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        shelf.keep_model("one", {"data": "a"}, breaks)
    assert not shelf.has_model("one", {"data": "a"})
    assert shelf.begin(KEY) == []
    assert list((shelf.model("one").parent).iterdir()) == []
