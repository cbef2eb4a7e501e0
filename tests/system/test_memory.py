import sys
from types import SimpleNamespace

import pytest

from lepton_pipeline.system import memory
from lepton_pipeline.system.memory import release_after_reading


@pytest.fixture
def released(monkeypatch):
    """How often memory was released."""
    found = []
    pool = SimpleNamespace(release_unused=lambda: found.append(1))
    monkeypatch.setitem(sys.modules, "pyarrow", SimpleNamespace(default_memory_pool=lambda: pool))
    return found


def test_memory_is_released_after_a_large_file_only(tmp_path, monkeypatch, released):
    monkeypatch.setattr(memory, "LARGE_BYTES", 10)
    file = tmp_path / "table.parquet"
    for size, times in ((9, 0), (10, 1)):
        file.write_bytes(bytes(size))
        release_after_reading(file)
        assert len(released) == times
    release_after_reading(tmp_path)
    assert len(released) == 1


def test_nothing_is_imported_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "LARGE_BYTES", 0)
    monkeypatch.delitem(sys.modules, "pyarrow", raising=False)
    (tmp_path / "record.json").write_text("{}")
    release_after_reading(tmp_path / "record.json")
    assert "pyarrow" not in sys.modules
