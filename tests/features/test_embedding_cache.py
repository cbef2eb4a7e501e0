"""Embeddings in a file: what was written is read, damage costs time only, and no text is kept."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

from lepton_pipeline.features.embedding_cache import EmbeddingCache

KEYS = [bytes([number]) * 16 for number in range(200)]
VECTORS = {key: np.arange(4, dtype=np.float16) + number for number, key in enumerate(KEYS)}


@pytest.fixture
def cache(tmp_path) -> EmbeddingCache:
    made = EmbeddingCache(tmp_path / "deeper" / "one.sqlite")
    made.write(VECTORS)
    return made


def test_what_was_written_is_read_bit_by_bit(cache):
    found = cache.read([*KEYS * 4, b"unknown"])
    assert found.keys() == VECTORS.keys()
    assert all(found[key].tobytes() == VECTORS[key].tobytes() for key in KEYS)
    assert cache.read([]) == {}


def test_a_new_file_knows_nothing(tmp_path):
    assert EmbeddingCache(tmp_path / "new.sqlite").read(KEYS) == {}


@pytest.mark.parametrize("damage", [b"no store at all " * 600, b""])
def test_a_damaged_file_is_built_anew(cache, damage):
    cache.file.write_bytes(damage)
    assert cache.read(KEYS) == {}
    cache.write(VECTORS)
    assert len(cache.read(KEYS)) == len(KEYS)


def test_a_file_damaged_in_its_middle_gives_no_wrong_vector(cache):
    content = bytearray(cache.file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    cache.file.write_bytes(content)
    found = cache.read(KEYS)
    assert all(found[key].tobytes() == VECTORS[key].tobytes() for key in found)
    cache.write(VECTORS)


def test_a_vector_with_another_checksum_is_not_known(cache):
    with closing(sqlite3.connect(cache.file)) as store, store:
        store.execute("UPDATE embeddings SET vector = zeroblob(8) WHERE key = ?", [KEYS[7]])
    assert set(KEYS) - set(cache.read(KEYS)) == {KEYS[7]}


def test_many_writers_at_once_lose_nothing(tmp_path):
    caches = [EmbeddingCache(tmp_path / "shared.sqlite") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for place, cache in enumerate(caches):
            pool.submit(cache.write, {key: VECTORS[key] for key in KEYS[place::8]}).add_done_callback(
                lambda done: done.result()
            )
    assert len(caches[0].read(KEYS)) == len(KEYS)


def test_a_locked_file_is_an_error(cache, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.features.embedding_cache._SECONDS", 0.01)
    with closing(sqlite3.connect(cache.file)) as store:
        store.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            cache.read(KEYS)
    assert len(cache.read(KEYS)) == len(KEYS)
