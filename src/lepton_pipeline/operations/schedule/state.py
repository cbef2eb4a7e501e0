"""What the scheduler must know after it was killed: one JSON file, replaced as a whole at every change."""

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
from lepton_pipeline.system.locks import only_job

FOLDER = Path("data/.scheduler")


@dataclass(frozen=True)
class Running:
    """A job that was started.

    Attributes:
        started: when.
        pid: its process and process group; None for the instant before there is one.
    """

    started: datetime
    pid: int | None = None


@dataclass(frozen=True)
class Result:
    """How a job ended.

    Attributes:
        outcome: "done", "failed", "timed out", "not started", "stopped" (with the scheduler), "lost" (it was
            killed).
        code: exit code, negative for a signal; None where nobody saw it.
        attempt: 1 for the first start of a tick.
        log: file of what the job printed; empty if there is none.
    """

    outcome: str
    code: int | None
    attempt: int
    started: datetime
    ended: datetime
    log: str = ""


@dataclass(frozen=True)
class Record:
    """Where one vertical stands.

    Attributes:
        seen: ticks up to this moment have been dealt with.
        attempt: starts of the last tick so far.
        retry_at: when a failed or interrupted job is started again; None if it is not.
        running: the job that runs now, or ran when the scheduler was killed.
        last: how the last job ended.
    """

    seen: datetime
    attempt: int = 0
    retry_at: datetime | None = None
    running: Running | None = None
    last: Result | None = None


class State:
    """The records of all verticals, in memory and on disk; safe between threads.

    Args:
        path: the file; a new one is begun where there is none.

    Raises:
        LeptonError: there is a file that is no state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._records = read_records(path)
        self._unsaved = False

    def __getitem__(self, vertical: str) -> Record:
        return self._records[vertical]

    def get(self, vertical: str) -> Record | None:
        """The record of a vertical; None if it was never seen."""
        return self._records.get(vertical)

    def begin(self, vertical: str, now: datetime) -> None:
        """Take up a vertical that was never seen; no tick before now is owed to it."""
        if vertical not in self._records:
            self.put(vertical, Record(now))

    def put(self, vertical: str, record: Record) -> None:
        """Keep a record in memory, and on disk if that can be written."""
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
        """Write what has changed.

        Returns:
            Why it could not be written (a full disk, say); None if all is on disk. It is tried again at the
            next call.
        """
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
    """The state in a file; a file that is none is moved aside and said, as jobs must start again without a person."""
    try:
        return State(path)
    except LeptonError:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        say(
            f"{path.name} is damaged and was moved to {aside.name}: starts and retries that were owed are forgotten"
        )
        return State(path)


@contextmanager
def only_scheduler(folder: Path) -> Iterator[None]:
    """Be the project's only scheduler.

    Raises:
        LeptonError: another one is at work, and which.
    """
    with only_job(folder, "scheduler", "kedro schedule") as holder:
        if holder is not None:
            raise LeptonError(f"a scheduler of this project is at work already: {holder}; stop it first.")
        yield


def read_records(path: Path) -> dict[str, Record]:
    """The records in a file of the scheduler's state, by vertical; none where there is no file.

    Raises:
        LeptonError: the file is no state.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["verticals"]
        return {vertical: _record(fields) for vertical, fields in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LeptonError(
            f"{path} is no state of the scheduler: {error}; the next `kedro schedule run` moves it aside and begins "
            "anew."
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
