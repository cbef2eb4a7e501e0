"""An identity of a table's content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class Fingerprint:
    """Rows, columns (name to type) and identity of a table's content."""

    rows: int
    columns: dict[str, str]
    sha256: str


def fingerprint(table: pd.DataFrame) -> Fingerprint:
    """Identify the content of a table, whatever the order of its rows and the form of its file.

    Every row is hashed to 64 bits from its values in column order; the sorted row hashes, behind the names and types of
    the columns, go through SHA-256. So a file that was rewritten (rows in another order, other compression, line ends
    or quoting) keeps its fingerprint; a changed value, a row more or less, or a row that stands twice changes it.

    Args:
        table: typed columns.
    """
    columns = {str(name): str(kind) for name, kind in table.dtypes.items()}
    digest = hashlib.sha256(json.dumps(columns).encode())
    rows = row_hashes(table)
    digest.update(rows.astype("<u8")[rows.argsort()].tobytes())
    return Fingerprint(len(table), columns, digest.hexdigest())


def row_hashes(table: pd.DataFrame) -> npt.NDArray[np.uint64]:
    """Hash every row to 64 bits from its values in column order."""
    return np.asarray(pd.util.hash_pandas_object(table, index=False), np.uint64)
