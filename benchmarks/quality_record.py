"""What `quality.py` has measured, kept from run to run."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from contenders import FITS
from quality_metrics import BINARY, MULTICLASS
from quality_results import Line
from quality_rows import Rows

from lepton_pipeline.parameters import Vertical

_VERSIONS = ("torch", "scikit-learn", "lightgbm", "xgboost-cpu", "catboost", "pytabkit", "pandas", "numpy")


@dataclass(frozen=True)
class Task:
    """One fit to be done.

    Attributes:
        vertical: whose rows.
        seed: of the model, and of the split where it is random.
        fit: key of `FITS`.
    """

    vertical: str
    seed: int
    fit: str

    @property
    def keys(self) -> list[tuple[str, int, str]]:
        """Vertical, seed and contender of every line that it makes."""
        return [(self.vertical, self.seed, name) for name in FITS[self.fit].names]


class Record:
    """The JSON-lines file that holds one line for every fit of every contender, from run to run.

    Args:
        path: of the file; a line that a killed run has left incomplete is dropped.
    """

    def __init__(self, path: Path):
        self._path = path
        self._lock = Lock()
        text = path.read_text() if path.exists() else ""
        complete = text[: text.rfind("\n") + 1]
        self.lines: list[Line] = [json.loads(line) for line in complete.splitlines()]
        if text != complete:
            self._rewrite()

    def append(self, lines: Iterable[Line]) -> None:
        """Add lines, on disk at once."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = list(lines)
            with self._path.open("a") as file:
                file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in new)
            self.lines.extend(new)

    def forget(self, tasks: Iterable[Task]) -> None:
        """Drop what is known of these tasks."""
        keys = {key for task in tasks for key in task.keys}
        self.lines = [line for line in self.lines if _key(line) not in keys]
        self._rewrite()

    def has(self, task: Task, limit: float) -> bool:
        """Whether a task is done, or was stopped after at least `limit` seconds, for this seed or any other.

        What was stopped once would be stopped for every seed.
        """
        done = {_key(line) for line in self.lines if "cpu_seconds" in line}
        stopped = {
            (line["vertical"], line["contender"]) for line in self.lines if line.get("stopped", 0) >= limit
        }
        return all(key in done or (key[0], key[2]) in stopped for key in task.keys)

    def describe(self, vertical: str, declared: Vertical, rows: Rows) -> None:
        """Note what the report says about the rows of a vertical; the first draw stands for all."""
        if not any(line.get("vertical") == vertical and "strategy" in line for line in self.lines):
            self.append([_description(vertical, declared, rows)])

    def enter_environment(self) -> None:
        """Note date, machine and versions, where they are not known yet but for the date."""
        here = _environment()
        known = [line["environment"] for line in self.lines if "environment" in line]
        if not any({**each, "date": here["date"]} == here for each in known):
            self.append([{"environment": here}])

    def _rewrite(self) -> None:
        if self._path.exists():
            new = self._path.with_suffix(".new")
            new.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self.lines))
            new.replace(self._path)


def _key(line: Line) -> tuple[str, int, str]:
    return line.get("vertical", ""), line.get("seed", -1), line.get("contender", "")


def _description(vertical: str, declared: Vertical, rows: Rows) -> Line:
    parts = rows.split["part"].value_counts()
    return {
        "vertical": vertical,
        "task": rows.task,
        "strategy": declared.split.strategy,
        **{part: int(parts[part]) for part in ("train", "validation", "test")},
        "columns": rows.raw.shape[1],
        **_target(rows),
    }


def _target(rows: Rows) -> Line:
    labels = rows.split["label"]
    if rows.task == BINARY:
        return {"positive": round(float(labels.mean()), 4)}
    if rows.task == MULTICLASS:
        return {"classes": int(labels.nunique())}
    return {"mean": float(f"{labels.mean():.6g}"), "deviation": float(f"{labels.std():.6g}")}


def _environment() -> Line:
    names = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [
            line.partition(":")[2].strip()
            for line in information.read_text().splitlines()
            if "model name" in line
        ]
        names = models[0] if models else names
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    versions = [f"Python {platform.python_version()}"]
    for name in _VERSIONS:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.system()} {platform.machine()}, {names}, {os.cpu_count()} cores, "
        f"{memory:.1f} GiB",
        "versions": ", ".join(versions),
    }
