"""Checkpoints of a backfill on disk: models, and decisions by date."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from lepton_pipeline.system.files import replacing, write_json
from lepton_pipeline.tracking.local_store import LocalStore

STORE, ARTEFACTS = "mlflow.db", "mlruns"
_NOTE = "key.json"


class Shelf:
    """The folder of a vertical's backfill, made if missing; what it holds is complete.

    A model depends on date, rows and the declaration of its training; a decision also on the policy and on
    earlier decisions. Models are kept apart, so another policy finds them again.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self.store = folder / "store"
        self._models, self._dates = folder / "models", folder / "dates"
        for each in (self.store, self._models, self._dates):
            each.mkdir(parents=True, exist_ok=True)

    def begin(self, key: dict[str, str]) -> list[str]:
        """Keep the checkpoints of the same key, and drop decisions of another and what is incomplete.

        Returns:
            The names of the parts of the key that have changed.
        """
        note = self._folder / _NOTE
        before = _read(note) if note.is_file() else {}
        changed = [name for name in key if before and before.get(name) != key[name]]
        if changed or not before:
            shutil.rmtree(self._dates)
            self._dates.mkdir()
            write_json(note, key, alone=True)
        for each in (*self._models.glob(".*"), *self._dates.glob(".*")):
            shutil.rmtree(each)
        return changed

    def finished(self, names: list[str]) -> list[dict[str, Any]]:
        """The decisions of the leading dates that are complete."""
        found = []
        for name in names:
            if not (self._dates / name).is_dir():
                break
            found.append(_read(self._dates / name / "decision.json"))
        return found

    def restore(self, name: str | None) -> None:
        """Reset the scratch store to its state after a date, or to an empty one."""
        for each in self.store.glob(f"{STORE}*"):
            each.unlink()
        if name is None:
            shutil.rmtree(self.store / ARTEFACTS, ignore_errors=True)
            for each in self._dates.iterdir():
                shutil.rmtree(each)
        else:
            shutil.copy(self._dates / name / STORE, self.store / STORE)
            # The project may have been moved or copied since.
            home = LocalStore(self.store / STORE, self.store, Path(ARTEFACTS))
            home.rewrite(home.former())

    def finish(self, name: str, decision: dict[str, Any]) -> None:
        """Keep the decision of a date, with the store as it is now."""
        with replacing(self._dates / name, alone=True) as folder:
            write_json(folder / "decision.json", decision)
            with (
                closing(sqlite3.connect(self.store / STORE)) as now,
                closing(sqlite3.connect(folder / STORE)) as kept,
            ):
                now.backup(kept)

    def has_model(self, name: str, key: dict[str, str]) -> bool:
        """Whether there is a model of a date with the same key."""
        note = self._models / name / _NOTE
        return note.is_file() and _read(note) == key

    def model(self, name: str) -> Path:
        """The folder of a model."""
        return self._models / name

    def keep_model(self, name: str, key: dict[str, str], fill: Callable[[Path], None]) -> None:
        """Keep a model, which `fill` writes into a folder, in place of one with another key."""
        with replacing(self._models / name, alone=True) as folder:
            folder.mkdir()
            fill(folder)
            write_json(folder / _NOTE, key)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found
