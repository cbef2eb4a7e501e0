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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time
from typing import Any, BinaryIO
from uuid import uuid4

import pandas as pd

from lepton_pipeline.model.logged import Logged

FOLDER = "LEPTON_SERVED_LOG"
SUFFIX = ".served.jsonl"
logger = logging.getLogger("lepton_pipeline.serving")
# Requests that wait to be written; more are lost, as the disk does not keep up.
_WAITING = 1000
# Files of a folder at its largest.
_FILES = 20
_DAY, _MEGABYTE = 86_400, 1 << 20
_SECONDS_BETWEEN_WARNINGS = 60
_SECONDS_AT_THE_END = 5


@dataclass(frozen=True)
class Served:
    """The rows of one request: as sent, as read, and their predictions."""

    at: datetime
    sent: pd.DataFrame
    rows: pd.DataFrame
    predictions: pd.DataFrame


class RequestLog:
    """Keeps served rows in `folder`; a thread writes them, so that a request neither waits nor fails."""

    def __init__(self, folder: Path, logged: Logged, version: int | None, weights: str):
        self._folder, self._logged = folder, logged
        self._version, self._weights = version, weights
        self._waiting: queue.Queue[Served | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._file: BinaryIO | None = None
        self._day = ""
        self._lost, self._warned = 0, float("-inf")

    def add(self, sent: pd.DataFrame, rows: pd.DataFrame, predictions: pd.DataFrame) -> None:
        """Keep the rows of a request; returns at once, and counts them as lost where too many wait."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="served log", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        try:
            served = Served(datetime.now(UTC), sent, rows.copy(deep=False), predictions.copy(deep=False))
            self._waiting.put_nowait(served)
        except queue.Full:
            self._lose(len(rows), "the disk does not keep up")

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
                self._close_file()
                self._lose(len(served.rows), str(error))
        self._close_file()

    def _write(self, served: Served) -> None:
        largest = self._logged.log.megabytes * _MEGABYTE // _FILES
        for line in self._lines(served):
            if len(line) > largest:
                self._lose(1, f"its row takes {len(line):,} bytes")
                continue
            day = served.at.date().isoformat()
            if self._file is None or day != self._day or self._file.tell() + len(line) > largest:
                self._file, self._day = self._next_file(day, largest), day
            self._file.write(line)

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
        logged = self._logged
        rows, answers = _records(served.rows), _records(served.predictions)
        named = {}
        for key, name in (("id", logged.id), ("time", logged.time)):
            values: list[Any] = [None] * len(rows)
            if name is not None and name in served.sent:
                values = [each[name] for each in _records(served.sent[[name]])]
            named[key] = [logged.kept(str(name), value) for value in values]
        made = []
        for at, (row, answer) in enumerate(zip(rows, answers, strict=True)):
            kept = {name: logged.kept(name, value) for name, value in row.items()}
            line = {
                "at": served.at.isoformat(),
                "version": self._version,
                "weights": self._weights,
                "id": named["id"][at],
                "time": named["time"][at],
                "inputs": {name: value for name, value in kept.items() if name not in logged.log.dropped},
                "prediction": answer,
            }
            made.append(json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")
        return made

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _lose(self, rows: int, reason: str) -> None:
        self._lost += rows
        if monotonic() - self._warned >= _SECONDS_BETWEEN_WARNINGS:
            self._warned = monotonic()
            logger.warning(
                "%s: %d served rows are not in the log, %d in all: %s", self._folder, rows, self._lost, reason
            )


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Rows as JSON has them: None where a value is missing, times in ISO 8601."""
    columns = {str(name): [_plain(value) for value in frame[name].tolist()] for name in frame}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | int):
        return value
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
