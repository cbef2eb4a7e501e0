"""The log of what is served: JSON lines in a folder, written beside the requests and never in their way.

Each process writes files of its own, one after the other, so that several serve into one folder without locks. A line
that a kill or a full disk has cut is the last one of its file.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import monotonic, time
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
import pandas as pd

from lepton_pipeline.model.logged import Logged, hash_value

FOLDER = "LEPTON_SERVED_LOG"
SUFFIX = ".served.jsonl"
logger = logging.getLogger("lepton_pipeline.serving")
# Rows that wait to be written, which take memory; more are lost, as the disk does not keep up.
_WAITING = 20_000
# Files of a folder at its largest.
_FILES = 20
_DAY, _MEGABYTE = 86_400, 1 << 20
_SECONDS_BETWEEN_WARNINGS = 60
_SECONDS_AT_THE_END = 5


@dataclass(frozen=True)
class Served:
    """The rows of one request: their ids and times as sent, as far as they were, all as read, and predictions."""

    at: datetime
    named: dict[str, pd.Series]
    rows: pd.DataFrame
    predictions: pd.DataFrame


class RequestLog:
    """Keeps served rows in `folder`; a thread writes them, so that a request neither waits nor fails."""

    def __init__(self, folder: Path, logged: Logged, version: int | None, weights: str):
        self._folder, self._logged = folder, logged
        self._version, self._weights = version, weights
        self._waiting: queue.SimpleQueue[Served | None] = queue.SimpleQueue()
        self._rows_waiting, self._lock = 0, threading.Lock()
        self._thread: threading.Thread | None = None
        self._file: BinaryIO | None = None
        self._day, self._size = "", 0
        self._lost, self._warned = 0, float("-inf")

    def add(self, sent: pd.DataFrame, rows: pd.DataFrame, predictions: pd.DataFrame) -> None:
        """Keep the rows of a request; returns at once, and counts them as lost where too many wait."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="served log", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        named = {"id": self._logged.id, "time": self._logged.time}
        sent_names = {key: sent[name] for key, name in named.items() if name is not None and name in sent}
        served = Served(datetime.now(UTC), sent_names, rows.copy(deep=False), predictions.copy(deep=False))
        with self._lock:
            # A request of any size is written if none waits.
            full = self._rows_waiting > 0 and self._rows_waiting + len(rows) > _WAITING
            self._rows_waiting += 0 if full else len(rows)
        if full:
            self._lose(len(rows), "the disk does not keep up")
        else:
            self._waiting.put(served)

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        atexit.unregister(self.close)
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._waiting.put(None)
            thread.join(_SECONDS_AT_THE_END)

    def _work(self) -> None:
        while (served := self._waiting.get()) is not None:
            try:
                self._write(served)
            except Exception as error:  # requests go on without a log, whatever ails it
                self._lose(len(served.rows), str(error))
                # What is wrong with it was told just now.
                with suppress(OSError):
                    self._close_file()
            with self._lock:
                self._rows_waiting -= len(served.rows)
        self._close_file()

    def _write(self, served: Served) -> None:
        largest = self._logged.log.megabytes * _MEGABYTE // _FILES
        day, waiting = served.at.date().isoformat(), list[bytes]()
        for line in self._lines(served):
            if len(line) > largest:
                self._lose(1, f"its row takes {len(line):,} bytes")
                continue
            if self._file is None or day != self._day or self._size + len(line) > largest:
                self._put(waiting)
                self._file, self._day, self._size, waiting = self._next_file(day, largest), day, 0, []
            waiting.append(line)
            self._size += len(line)
        self._put(waiting)

    def _put(self, lines: list[bytes]) -> None:
        left = memoryview(b"".join(lines))
        while self._file is not None and left:
            # Less than all where the disk becomes full: the next attempt says so.
            left = left[self._file.write(left) :]

    def _next_file(self, day: str, largest: int) -> BinaryIO:
        self._close_file()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room(largest)
        name = self._folder / f"{day}.{uuid4().hex[:12]}{SUFFIX}"
        # Not for everybody: it holds what clients sent. Without a buffer, a line is there once it is written.
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        return os.fdopen(descriptor, "wb", buffering=0)

    def _make_room(self, largest: int) -> None:
        """Remove old files, and the oldest ones until another one of the largest size fits in."""
        found = {}
        for path in self._folder.glob(f"*{SUFFIX}"):
            try:
                found[path] = path.stat()
            except FileNotFoundError:
                # Another process makes room, too.
                continue
        left, oldest = sum(each.st_size for each in found.values()), time() - self._logged.log.days * _DAY
        for path, each in sorted(found.items(), key=lambda item: item[1].st_mtime):
            if each.st_mtime < oldest or left + largest > self._logged.log.megabytes * _MEGABYTE:
                path.unlink(missing_ok=True)
                left -= each.st_size

    def _lines(self, served: Served) -> list[bytes]:
        """A line for each row, put together from texts by column, which is many times faster than by value."""
        logged, count = self._logged, len(served.rows)
        names = {"id": logged.id, "time": logged.time}
        texts = [[json.dumps(served.at.isoformat())] * count]
        for key, name in names.items():
            sent = served.named.get(key)
            texts.append(["null"] * count if sent is None else self._texts(str(name), sent.tolist(), ""))
        inputs = {name: each for name, each in _columns(served.rows) if name not in logged.log.dropped}
        texts += [self._texts(name, *each) for name, each in inputs.items()]
        predictions = dict(_columns(served.predictions))
        texts += [_json(*each) for each in predictions.values()]
        template = _template(self._version, self._weights, tuple(inputs), tuple(predictions))
        return [(template % row).encode("utf-8", "replace") for row in zip(*texts, strict=True)]

    def _texts(self, name: str, values: list[Any], kind: str) -> list[str]:
        log = self._logged.log
        if name in log.dropped:
            return ["null"] * len(values)
        texts = _json(values, kind)
        if name not in log.hashed:
            return texts
        pairs = zip(texts, values, strict=True)
        return [text if text == "null" else f'"{hash_value(value)}"' for text, value in pairs]

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _lose(self, rows: int, reason: str) -> None:
        self._lost += rows
        if monotonic() - self._warned >= _SECONDS_BETWEEN_WARNINGS:
            self._warned = monotonic()
            logger.warning(
                "%s: %d served rows are not in the log, %d in all: %s", self._folder, rows, self._lost, reason
            )


@lru_cache(maxsize=8)
def _template(
    version: int | None, weights: str, inputs: tuple[str, ...], predictions: tuple[str, ...]
) -> str:
    """A line with places for time of the request, id, time, inputs and predictions."""

    def listed(names: tuple[str, ...]) -> str:
        return ", ".join(f"{_literal(json.dumps(name, ensure_ascii=False))}: %s" for name in names)

    model = f'"version": {json.dumps(version)}, "weights": {_literal(json.dumps(weights))}'
    head = f'"at": %s, {model}, "id": %s, "time": %s'
    return f'{{{head}, "inputs": {{{listed(inputs)}}}, "prediction": {{{listed(predictions)}}}}}\n'


def _columns(frame: pd.DataFrame) -> list[tuple[str, tuple[list[Any], str]]]:
    """Values of each column as Python has them, and the kind of its type where that is numpy's."""
    # At once: a frame of one row would take a hundred times longer by column.
    values = frame.to_numpy(dtype=object).T.tolist()
    kinds = [each.kind if isinstance(each, np.dtype) else "" for each in frame.dtypes]
    return list(zip(map(str, frame), zip(values, kinds, strict=True), strict=True))


def _json(values: list[Any], kind: str) -> list[str]:
    """Values as JSON has them: all digits, null where one is missing, times in ISO 8601."""
    if kind == "b":
        return ["true" if value else "false" for value in values]
    if kind in ("i", "u"):
        return list(map(str, values))
    if kind == "f":
        return [repr(value) if value - value == 0 else _value(value) for value in values]
    return [_value(value) for value in values]


def _value(value: Any) -> str:
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return "null"
    value = value.isoformat() if hasattr(value, "isoformat") else value
    return json.dumps(value, ensure_ascii=False, default=str)


def _literal(text: str) -> str:
    """A text as it stands in a template."""
    return text.replace("%", "%%")
