"""The scheduler's state, which survives a kill: a JSON file, replaced atomically at every change."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.system.files import write_json
from lepton_pipeline.system.locks import JobLock

FOLDER = Path("data/.scheduler")


@dataclass(frozen=True)
class Running:
    """A running job."""

    started: datetime
    pid: int | None = None  # process and process group; None until it has started


@dataclass(frozen=True)
class Result:
    """How a job ended."""

    outcome: str  # "done", "failed", "timed out", "not started", "lost", "stopped" (with the scheduler)
    code: int | None  # negative for a signal; None where not known
    attempt: int  # 1 for the first start of a tick
    started: datetime
    ended: datetime
    log: str = ""  # file of its output


@dataclass(frozen=True)
class Record:
    """The state of a vertical."""

    seen: datetime  # ticks up to this moment have been dealt with
    attempt: int = 0  # starts of the last tick so far
    retry_at: datetime | None = None  # when a failed or interrupted job starts again
    running: Running | None = None  # now, or when the scheduler was killed
    last: Result | None = None


class State:
    """The records of all verticals, in memory and on disk; thread-safe.

    Raises:
        LeptonError: the file is no state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._records = read_records(path)
        self._unsaved = False

    def __getitem__(self, vertical: str) -> Record:
        return self._records[vertical]

    def get(self, vertical: str) -> Record | None:
        """The record of a vertical, if any."""
        return self._records.get(vertical)

    def begin(self, vertical: str, now: datetime) -> None:
        """Add a vertical without a record; ticks before now are not owed to it."""
        if vertical not in self._records:
            self.put(vertical, Record(now))

    def put(self, vertical: str, record: Record) -> None:
        """Keep a record in memory, and on disk if possible."""
        with self._lock:
            self._records[vertical] = record
            self._unsaved = True
        self.save()

    def change(self, vertical: str, **changes: Any) -> Record:
        """Change fields of a record."""
        record = replace(self._records[vertical], **changes)
        self.put(vertical, record)
        return record

    def save(self) -> str | None:
        """Write unsaved changes; return the error, a full disk say, after which the next call tries again."""
        with self._lock:
            if not self._unsaved:
                return None
            content = {"verticals": {name: asdict(record) for name, record in sorted(self._records.items())}}
            try:
                write_json(self.path, content, indent=1, default=datetime.isoformat, alone=True)
            except OSError as error:
                return str(error)
            self._unsaved = False
            return None


def open_state(path: Path, say: Callable[[str], None]) -> State:
    """Open a state; a damaged file is moved aside with a message, so that jobs start again unattended."""
    try:
        return State(path)
    except LeptonError:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        say(f"{path.name} is damaged and was moved to {aside.name}: missed starts and retries are lost")
        return State(path)


@contextmanager
def only_scheduler(folder: Path) -> Iterator[None]:
    """Be the project's only scheduler.

    Raises:
        LeptonError: another one is running, and which.
    """
    with JobLock(folder, "scheduler", "kedro schedule") as holder:
        if holder is not None:
            raise LeptonError(f"a scheduler of this project is at work already: {holder}; stop it first.")
        yield


def read_records(path: Path) -> dict[str, Record]:
    """The records in a state file by vertical; empty where there is no file.

    Raises:
        LeptonError: the file is no state.
    """
    try:
        content = json.loads(path.read_bytes())["verticals"]
        return {vertical: _record(fields) for vertical, fields in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LeptonError(
            f"{path} is no state of the scheduler: {error}; the next `kedro schedule run` replaces it."
        ) from error


def _record(fields: dict[str, Any]) -> Record:
    running, last = fields["running"], fields["last"]
    return Record(
        _moment(fields["seen"]),
        fields["attempt"],
        _moment(fields["retry_at"]) if fields["retry_at"] else None,
        Running(_moment(running["started"]), running["pid"]) if running else None,
        Result(**(last | {key: _moment(last[key]) for key in ("started", "ended")})) if last else None,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment
