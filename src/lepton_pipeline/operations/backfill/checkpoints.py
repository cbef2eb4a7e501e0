"""Checkpoints of a backfill on disk: models, and decisions by date."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from lepton_pipeline.system.files import replacing, write_json
from lepton_pipeline.system.records import from_json, to_plain
from lepton_pipeline.tracking.local_store import LocalStore

STORE, ARTEFACTS = "mlflow.db", "mlruns"
_NOTE, _DECISION = "key.json", "decision.json"


@dataclass(frozen=True)
class Look:
    """The decision of the policy at a date."""

    date: str  # its name
    due: bool  # False also where the job failed before the decision
    triggers: tuple[str, ...]  # those that held
    why: str  # the decision in a sentence, or the error
    version: int | None  # of the model that the policy had trained
    promoted: bool | None  # None where the champion was the same model
    gate: str  # reason of the gate
    alarms: tuple[str, ...]  # "failed", "contract", "refused", "drift", "decay"
    drifted: tuple[str, ...]
    new_rows: int | None  # mature rows that the champion was not made of
    model: bool  # whether a model of this date exists, due or not
    champion: str | None  # date of the policy's model afterwards


class Checkpoints:
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
        before = json.loads(note.read_bytes()) if note.is_file() else {}
        changed = [name for name in key if before and before.get(name) != key[name]]
        if changed or not before:
            shutil.rmtree(self._dates)
            self._dates.mkdir()
            write_json(note, key, alone=True)
        for each in (*self._models.glob(".*"), *self._dates.glob(".*")):
            shutil.rmtree(each)
        return changed

    def finished(self, names: list[str]) -> list[Look]:
        """The decisions of the leading dates that are complete."""
        complete = takewhile(lambda name: (self._dates / name).is_dir(), names)
        files = (self._dates / name / _DECISION for name in complete)
        return [from_json(Look, file.read_bytes(), str(file)) for file in files]

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

    def finish(self, look: Look) -> None:
        """Keep the decision of a date, with the store as it is now."""
        with replacing(self._dates / look.date, alone=True) as folder:
            write_json(folder / _DECISION, to_plain(look))
            with (
                closing(sqlite3.connect(self.store / STORE)) as now,
                closing(sqlite3.connect(folder / STORE)) as kept,
            ):
                now.backup(kept)

    def has_model(self, name: str, key: dict[str, str]) -> bool:
        """Whether there is a model of a date with the same key."""
        note = self._models / name / _NOTE
        return note.is_file() and json.loads(note.read_bytes()) == key

    def model(self, name: str) -> Path:
        """The folder of a model."""
        return self._models / name

    def keep_model(self, name: str, key: dict[str, str], fill: Callable[[Path], None]) -> None:
        """Keep a model, which `fill` writes into a folder, in place of one with another key."""
        with replacing(self._models / name, alone=True) as folder:
            folder.mkdir()
            fill(folder)
            write_json(folder / _NOTE, key)
