"""Identify the content of a table, and of its test rows: figures of two runs compare only where these are the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.parameters import Features

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class TableIdentity:
    """Rows, columns (name to type) and fingerprint of a table's content."""

    rows: int
    columns: dict[str, str]
    sha256: str


class Fingerprint:
    """Identifies the content of a table, whatever the order of its rows and the form of its file.

    Every row is hashed to 64 bits from its values in column order; the sorted row hashes, behind the names
    and types of the columns, go through SHA-256.
    """

    def __init__(self) -> None:
        self._columns: dict[str, str] = {}
        self._parts: list[Hashes] = []

    def add(self, rows: pd.DataFrame, hashes: Hashes) -> None:
        """Take in typed rows, of the same types in every call, and their `row_hashes`."""
        self._columns = {str(name): str(kind) for name, kind in rows.dtypes.items()}
        self._parts.append(hashes)

    def found(self) -> TableIdentity:
        """The identity of all rows taken in."""
        digest = hashlib.sha256(json.dumps(self._columns).encode())
        hashes = np.sort(np.concatenate(self._parts))
        digest.update(hashes.astype("<u8", copy=False).data)
        return TableIdentity(len(hashes), self._columns, digest.hexdigest())


def fingerprint(table: pd.DataFrame) -> TableIdentity:
    """The fingerprint of a table that is held whole.

    >>> fingerprint(pd.DataFrame({"a": [1, 2]})) == fingerprint(pd.DataFrame({"a": [2, 1]}))
    True
    """
    found = Fingerprint()
    found.add(table, row_hashes(table))
    return found.found()


def row_hashes(table: pd.DataFrame) -> Hashes:
    """Hash every row to 64 bits from its values in column order."""
    return np.asarray(pd.util.hash_pandas_object(table, index=False), np.uint64)


def identify_test_rows(
    feature_table: pd.DataFrame, split: pd.DataFrame, features: Features
) -> dict[str, int | str]:
    """Fingerprint (`rows`, `sha256`) of the test rows by their values and labels, in any order.

    Columns that `features` makes are left out, so that runs with other features still compare.
    """
    labels = split.loc[split["part"] == "test", "label"]
    made = features.names()
    own = sorted(name for name in map(str, feature_table.columns) if name not in made)
    # A column of the table may itself be called "label".
    rows = feature_table.loc[labels.index, own].add_prefix("column ").assign(label=labels)
    found = fingerprint(rows)
    return {"rows": found.rows, "sha256": found.sha256}
